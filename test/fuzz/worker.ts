import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { Router } from "zeromq";
import { protocolSchema } from "../../src/protocol/schema.js";
import { pythonFolder, tvmPython } from "../../src/worker/installation.js";
import { Frames, type Schema } from "./frames.js";
import { Tally } from "./tally.js";

const TIMEOUT_MS = 900_000;

/** Feeds messages, most of them none, to a session of the Python worker, in a process of its own. */
export async function fuzzWorker(messages: number, seed: number): Promise<Tally> {
  const frames = toWorkers(seed);
  const python = fuzzedWorker();
  const write = async (bytes: Buffer) => {
    if (!python.stdin.write(bytes)) {
      await Promise.race([once(python.stdin, "drain"), python]);
    }
  };
  await write(fourBytes(messages));
  for (let index = 0; index < messages; index += 1) {
    const bytes = frames.next();
    await write(Buffer.concat([fourBytes(bytes.length), bytes]));
  }
  python.stdin.end();
  return tallyOf("worker, in one process", (await python).stdout);
}

/** The same over a real socket, from an orchestrator that is another. */
export async function fuzzWorkerSocket(sessions: number, seed: number): Promise<Tally> {
  const frames = toWorkers(seed);
  const folder = await mkdtemp(join(tmpdir(), "familyseer-fuzz-"));
  const endpoint = `ipc://${folder}/orchestrator`;
  const router = new Router({ linger: 0 });
  await router.bind(endpoint);
  let sent = 0;
  const serving = (async () => {
    const greeted = new Set<string>();
    for await (const [peer] of router) {
      const name = peer?.toString("hex") ?? "";
      if (!peer || greeted.has(name)) {
        continue;
      }
      greeted.add(name);
      for (let message = 0; message < 20; message += 1) {
        const bytes = frames.next();
        await router.send(message % 10 === 9 ? [peer, bytes, bytes] : [peer, bytes]);
      }
      await router.send([peer, Buffer.from([0xc1])]);
      sent += 21;
    }
  })();
  try {
    const tally = tallyOf("worker, over a socket", (await fuzzedWorker(endpoint, String(sessions))).stdout);
    tally.messages = sent;
    return tally;
  } finally {
    router.close();
    await serving.catch(() => undefined);
    await rm(folder, { recursive: true });
  }
}

function toWorkers(seed: number): Frames {
  const { to_worker: message, operations } = protocolSchema() as {
    to_worker: Schema;
    operations: Record<string, { params: Schema }>;
  };
  const params = Object.entries(operations).map(([name, { params }]) => [name, params]);
  return new Frames(seed, message, Object.fromEntries(params));
}

function fuzzedWorker(...args: string[]) {
  return execa(tvmPython(), ["test/python/fuzz_worker.py", ...args], {
    env: { PYTHONPATH: pythonFolder },
    timeout: TIMEOUT_MS,
  });
}

function tallyOf(name: string, summary: string): Tally {
  return Object.assign(new Tally(name), JSON.parse(summary));
}

function fourBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
