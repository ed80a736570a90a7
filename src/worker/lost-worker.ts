import { DeadlineError, InstallationError, WorkerLostError } from "../errors.js";

/** A worker that says nothing for so long is taken for lost; it sends a heartbeat every second. */
export const SILENCE_MS = 30_000;

/**
 * The error that a worker's end is. One that ends before it says hello never worked here: something it needs is missing.
 */
export function ended(reason: string, lastOutput: readonly string[], saidHello: boolean): Error {
  const loss = new WorkerLostError(reason, lastOutput);
  return saidHello
    ? loss
    : new InstallationError(
        `The worker could not start. ${loss.message}\nRun \`familyseer doctor\` to see what is missing.`,
      );
}

/** The error that a worker's silence is. */
export function silent(): Error {
  return new WorkerLostError(`The worker has been silent for ${SILENCE_MS / 1000} s.`);
}

/** The error for a worker that takes no messages any more. */
export function unreachable(error: unknown): Error {
  return new WorkerLostError(`The worker cannot be reached: ${String(error)}.`);
}

/** The error for a worker that was started and never said hello. */
export function mute(handshakeMs: number): Error {
  return new DeadlineError(
    `The worker did not say hello within ${handshakeMs / 1000} s: it hangs, or this machine is too busy. Try again; ` +
      "`familyseer doctor` shows whether it can start at all.",
  );
}
