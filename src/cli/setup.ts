import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { execa } from "execa";
import { packageRoot } from "../worker/installation.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

/** The last line of scripts/setup. */
const READY = /^setup: ready: (.+)$/m;

export function addSetup(program: Command, finish: Finish): void {
  const command = program
    .command("setup")
    .description("install TVM and the Python packages it needs; safe to repeat")
    .option("--tvm <version>", "install this TVM instead of 0.18.0, beside the others: 0.8.0, 0.14.0 or 0.18.0")
    .option("--cuda", "install the CUDA build of TVM, beside the CPU's; without a GPU it does all but timing")
    .option("--tvm-python <path>", "check and use this Python with TVM instead")
    .option("--json", "print an object at the end: the Python that has TVM; all else goes to standard error")
    .action(async ({ tvm, cuda, tvmPython, json }) => {
      const args = [
        ...(tvm === undefined ? [] : ["--tvm", tvm]),
        ...(cuda ? ["--cuda"] : []),
        ...(tvmPython === undefined ? [] : ["--tvm-python", tvmPython]),
      ];
      const { exitCode, stdout } = await execa(join(packageRoot, "scripts", "setup"), args, {
        stdin: "inherit",
        stdout: json ? ["pipe", process.stderr] : "inherit",
        stderr: "inherit",
        reject: false,
      });
      if (json && exitCode === 0) {
        console.log(JSON.stringify({ python: READY.exec(stdout ?? "")?.[1] ?? null }));
      }
      finish(exitCode ?? EXIT.failed);
    });
  example(command, "familyseer setup");
}
