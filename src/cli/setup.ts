import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { execa } from "execa";
import { packageRoot, TVM_VERSION } from "../worker/installation.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

/** The last line of scripts/setup. */
const READY = /^setup: ready: (.+)$/m;

export function addSetup(program: Command, finish: Finish): void {
  const command = program
    .command("setup")
    .description("install TVM and the Python packages it needs; safe to repeat")
    .option("--tvm <version>", `install this TVM instead of ${TVM_VERSION}, beside the others: ${installable()}`)
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

/** The versions of TVM that set-up can install, in words. */
function installable(): string {
  const fromMaven = readdirSync(join(packageRoot, "scripts")).flatMap(
    (name) => /^tvm-([\d.]+)\.artifacts$/.exec(name)?.[1] ?? [],
  );
  const asWheels = readdirSync(join(packageRoot, "python"))
    .filter((name) => /^requirements.*\.in$/.test(name))
    .flatMap((name) => /^apache-tvm==(.*)$/m.exec(readFileSync(join(packageRoot, "python", name), "utf8"))?.[1] ?? []);
  const versions = [...fromMaven, ...asWheels].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return `${versions.slice(0, -1).join(", ")} or ${versions.at(-1)}`;
}
