import type { Channel, ChannelName } from "./channel.js";
import { EmbeddedChannel } from "./embedded-channel.js";
import { tvmPython } from "./installation.js";
import { PythoniaChannel } from "./pythonia-channel.js";
import { Worker } from "./worker.js";
import { workerProcess } from "./worker-process.js";
import { ZeroMqChannel } from "./zeromq-channel.js";

export interface WorkerOptions {
  /** The Python that has TVM; the one set-up installed if left out. */
  readonly tvmPython?: string | undefined;
  readonly channel?: ChannelName | undefined;
  /** What the worker is to compile for; decides which installed TVM runs it (`tvmPython`). */
  readonly target?: string | undefined;
  /** Where the ZeroMQ channel listens; `ipc` in a folder of its own if left out. */
  readonly endpoint?: string | undefined;
}

/** Starts a worker over the channel asked for. */
export function startWorker(options: WorkerOptions = {}): Promise<Worker> {
  return Worker.start(makeChannel(options));
}

function makeChannel({ tvmPython: named, target, channel = "zeromq", endpoint }: WorkerOptions): Channel {
  const python = tvmPython(named, target);
  switch (channel) {
    case "zeromq":
      return new ZeroMqChannel(workerProcess(python), endpoint);
    case "node-calls-python":
      return new EmbeddedChannel(python);
    case "pythonia":
      return new PythoniaChannel(python);
  }
}
