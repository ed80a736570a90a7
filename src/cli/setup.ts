import { join } from "node:path";
import type { Command } from "commander";
import { execa } from "execa";
import { packageRoot } from "../worker/installation.js";
import { example, type Finish } from "./command.js";

export function addSetup(program: Command, finish: Finish): void {
  const command = program
    .command("setup")
    .description("install TVM and the Python packages it needs; safe to repeat")
    .option("--tvm <version>", "install this TVM instead of 0.18.0, beside the others: 0.8.0, 0.14.0 or 0.18.0")
    .option("--cuda", "install the CUDA build of TVM, beside the CPU's; without a GPU it does all but timing")
    .option("--tvm-python <path>", "check and use this Python with TVM instead")
    .action(async ({ tvm, cuda, tvmPython }: { tvm?: string; cuda?: boolean; tvmPython?: string }) => {
      const args = [
        ...(tvm === undefined ? [] : ["--tvm", tvm]),
        ...(cuda ? ["--cuda"] : []),
        ...(tvmPython === undefined ? [] : ["--tvm-python", tvmPython]),
      ];
      const { exitCode } = await execa(join(packageRoot, "scripts", "setup"), args, {
        stdio: "inherit",
        reject: false,
      });
      finish(exitCode ?? 1);
    });
  example(command, "familyseer setup");
}
