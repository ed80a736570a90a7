import { type Command, InvalidArgumentError, Option } from "commander";
import { InvalidRequestError } from "../errors.js";
import { type NetworkInput, parseInput } from "../network/inputs.js";
import { CHANNELS } from "../worker/channel.js";

/** How every command ends: the exit code that the entry point exits with. */
export type Finish = (code: number) => void;

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError("Expected a whole number.");
  }
  return Number(text);
}

export function wholeNumbers(text: string): number[] {
  return text.split(",").map((part) => wholeNumber(part.trim()));
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("Expected a number.");
  }
  return value;
}

/** The headings of options in a command's help, in their order there. */
export const GROUPS = {
  required: "Required:",
  usual: "Usual:",
  search: "Search:",
  measuring: "Measuring:",
  devices: "Devices:",
  connection: "Connection:",
  experiments: "Experiments:",
} as const;

/** The options that every command which starts a worker has. */
export function withWorkerOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.connection)
    .option(
      "--tvm-python <path>",
      "use this Python with TVM instead of the installed one (also $FAMILYSEER_TVM_PYTHON; both: the same)",
    )
    .addOption(new Option("--channel <name>", "how to talk to Python").choices(CHANNELS).default("zeromq"))
    .option("--endpoint <address>", "where the zeromq channel listens: ipc://PATH or tcp://127.0.0.1:PORT")
    .option(
      "--keys <folder>",
      "wait at --endpoint tcp://ADDRESS:PORT for a worker with keys that fit (familyseer keys)",
    );
}

/** The paper's eight come first; docs/networks.md has all. */
export const MODEL_HELP =
  "resnet50_v1, resnet152_v2, mobilenet0.5, mobilenetv2_0.5, vit_huge, bert_large, roberta_large, gpt2, one of " +
  "relay.testing (resnet-18, mlp, ...), or a file: .json (Relay), .onnx, .pt (TorchScript)";

/** `--input`, which may be given several times; commands get `inputs`. */
export function inputOption(): Option {
  const option = new Option(
    "--input <name:sizes:dtype>",
    "an input that a file leaves open, e.g. image:1x3x224x224 or ids:1x128:int64 (repeatable; docs/networks.md)",
  );
  option.attributeName = () => "inputs";
  return option.argParser((text: string, before: readonly NetworkInput[] | undefined) => {
    try {
      return [...(before ?? []), parseInput(text)];
    } catch (error) {
      throw error instanceof InvalidRequestError ? new InvalidArgumentError(error.message) : error;
    }
  });
}

export const EXPORT_HELP =
  "also write the tuned network, weights included, as a library that plain TVM loads: FILE.so, or FILE.tar, which is " +
  "linked where it is loaded";

/** How a command says where a library went. */
export function exported(file: string): string {
  return `The tuned network is in ${file}.`;
}

/** The options that name a network and a target. */
export function withNetworkOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.required)
    .requiredOption("--model <name|path>", MODEL_HELP)
    .optionsGroup(GROUPS.usual)
    .helpOption("-h, --help", "display help for command")
    .option("--target <target>", "TVM target; native is this machine's CPU", "native")
    .option("--batch <n>", "batch size", wholeNumber, 1)
    .addOption(inputOption())
    .addOption(new Option("--layout <layout>", "data layout").choices(["NHWC", "NCHW"]).default("NHWC"));
}

/** For commands that run programs. */
export function threadsOption(): Option {
  return new Option(
    "--threads <n>",
    "threads that programs run on (default: $TVM_NUM_THREADS, or one for each real core)",
  ).argParser(wholeNumber);
}

export function example(command: Command, text: string): Command {
  return command.addHelpText("after", `\nExample:\n  $ ${text}`);
}
