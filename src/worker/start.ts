import { InvalidRequestError } from "../errors.js";
import type { TunerName } from "../tuner-name.js";
import { awaitedWorker } from "./awaited-worker.js";
import type { Channel, ChannelName } from "./channel.js";
import { readServerKeys } from "./curve.js";
import { EmbeddedChannel } from "./embedded-channel.js";
import { requireTemporaryFolder, tvmPython } from "./installation.js";
import { PythoniaChannel } from "./pythonia-channel.js";
import { Worker } from "./worker.js";
import { type OnOutput, workerProcess } from "./worker-process.js";
import { ZeroMqChannel } from "./zeromq-channel.js";

export interface WorkerOptions {
  /** The Python that has TVM; the one set-up installed if left out. */
  readonly tvmPython?: string | undefined;
  /** What is to search, whatever the Python's TVM has if left out; decides which installed TVM runs it (`tvmPython`). */
  readonly tuner?: TunerName | undefined;
  readonly channel?: ChannelName | undefined;
  /** What the worker is to compile for; decides which installed TVM runs it (`tvmPython`). */
  readonly target?: string | undefined;
  /** Where the ZeroMQ channel listens; `ipc` in a folder of its own if left out. */
  readonly endpoint?: string | undefined;
  /** The folder of this side's keys; the worker is then one that the user starts elsewhere, with the keys to match. */
  readonly keys?: string | undefined;
  /** Told each line that the worker's process prints, TVM's warnings among them; of one in this process, or elsewhere, nothing. */
  readonly onOutput?: OnOutput | undefined;
  /** Ends its start, and abandons what it is asked for and has not answered. */
  readonly signal?: AbortSignal | undefined;
}

/** How long to wait for a worker that the user starts elsewhere. */
const AWAIT_MS = 600_000;

/**
 * Starts a worker over the channel asked for.
 *
 * @throws InvalidRequestError too if its TVM does not have the tuner asked for.
 */
export async function startWorker(options: WorkerOptions = {}): Promise<Worker> {
  const worker =
    options.keys === undefined
      ? await Worker.start(makeChannel(options), undefined, options.signal)
      : await Worker.start(awaitingChannel(options, options.keys), AWAIT_MS, options.signal);
  const { tuner = worker.tuner } = options;
  if (worker.tuner !== tuner) {
    const differs = new InvalidRequestError(
      `The Python with TVM ${worker.tvmVersion} has the tuner ${worker.tuner}, and ${tuner} is asked for, by --tuner or by ` +
        `the log. Name a Python that has ${tuner} by --tvm-python, or none.`,
    );
    await worker.refuse(differs);
    await worker.close();
    throw differs;
  }
  return worker;
}

function awaitingChannel({ channel = "zeromq", endpoint }: WorkerOptions, keys: string): Channel {
  if (channel !== "zeromq") {
    throw new InvalidRequestError(`Keys are for the channel zeromq, not ${channel}. Leave --keys out, or --channel.`);
  }
  return new ZeroMqChannel(awaitedWorker, endpoint, readServerKeys(keys));
}

function makeChannel(options: WorkerOptions): Channel {
  const { tvmPython: named, tuner, target, channel = "zeromq", endpoint, onOutput } = options;
  requireTemporaryFolder();
  const python = tvmPython(named, target, tuner);
  switch (channel) {
    case "zeromq":
      return new ZeroMqChannel(workerProcess(python, onOutput), endpoint);
    case "node-calls-python":
      return new EmbeddedChannel(python);
    case "pythonia":
      return new PythoniaChannel(python);
  }
}
