import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { FamilySeerError, WorkerFailureError, WorkerLostError } from "../errors.js";
import { describeReason } from "../report/format.js";
import { parentProcess } from "../worker/parent-process.js";
import { Worker } from "../worker/worker.js";
import { ZeroMqChannel } from "../worker/zeromq-channel.js";
import { driveUserProcess } from "./user-process.js";

const REFUSAL_GRACE_MS = 5000;

/**
 * The orchestrator of a drop-in TaskScheduler, which starts it as `node main.js ENDPOINT PARENT MARK` (see
 * python/familyseer/drop_in/orchestrator.py) and then works for it.
 */
async function main([endpoint = "", parent = "", mark = ""]: readonly string[]): Promise<void> {
  const worker = await Worker.start(new ZeroMqChannel(parentProcess(Number(parent), mark), endpoint));
  try {
    await driveUserProcess(worker, describeReason);
    await worker.close();
  } catch (error) {
    // What the user's own code raised is raised there already, and to one that is gone nothing can be said.
    if (error instanceof WorkerFailureError) {
      return;
    }
    if (error instanceof WorkerLostError) {
      // The socket's folder is the user's process's, which cannot remove it any more.
      rmSync(dirname(endpoint.replace("ipc://", "")), { recursive: true, force: true });
      return;
    }
    if (!(error instanceof FamilySeerError)) {
      throw error;
    }
    await worker.refuse(error);
    // The user's process ends this one when it has taken that in; leaving at once could lose it.
    await setTimeout(REFUSAL_GRACE_MS);
  }
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
