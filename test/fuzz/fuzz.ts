import { fuzzOrchestrator, fuzzOrchestratorSocket } from "./orchestrator.js";
import type { Tally } from "./tally.js";
import { fuzzWorker, fuzzWorkerSocket } from "./worker.js";

/** One message may keep an end busy for so long: building and refusing the largest takes a second. */
const SLOWEST_MS = 2_000;
const GROWTH_MIB = 64;

export interface FuzzOptions {
  readonly seed: number;
  /** Messages for each end in one process. */
  readonly messages: number;
  /** Connections to each end over a socket, of 21 messages each. */
  readonly sessions: number;
}

/** Both ends, each in one process and over a socket. A crash or a hang is an error. */
export async function* fuzz({ seed, messages, sessions }: FuzzOptions): AsyncGenerator<Tally> {
  yield await fuzzOrchestrator(messages, seed);
  yield await fuzzWorker(messages, seed + 1);
  yield await fuzzOrchestratorSocket(sessions, seed + 2);
  yield await fuzzWorkerSocket(sessions, seed + 3);
}

/** What a run shows that must not be, a line each. */
export function defectsOf({ name, refused, slowest, growth }: Tally): string[] {
  return [
    ...(refused === 0 ? [`${name}: nothing was refused`] : []),
    ...(slowest > SLOWEST_MS ? [`${name}: one message took ${Math.round(slowest)} ms`] : []),
    ...(growth > GROWTH_MIB ? [`${name}: memory grew by ${Math.round(growth)} MiB`] : []),
  ];
}
