import { access, constants } from "node:fs/promises";
import type { Command } from "commander";
import { execa } from "execa";
import { inWords } from "../tuner/threads.js";
import { home, pythonArguments, pythonPath, tvmPython } from "../worker/installation.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import { example, type Finish, withWorkerOptions } from "./command.js";

const PINGS = 100;

interface Check {
  readonly part: string;
  /** What was found; throws what is wrong and what to do. */
  readonly examine: () => Promise<string>;
}

export function addDoctor(program: Command, finish: Finish): void {
  const command = withWorkerOptions(program.command("doctor"))
    .description("check every part of the installation and say what to do")
    .option("--json", "print an array of objects")
    .action(async (options: WorkerOptions & { json?: boolean }) => {
      const results = [];
      for (const { part, examine } of checks(options)) {
        try {
          results.push({ part, ok: true, found: await examine() });
        } catch (error) {
          results.push({ part, ok: false, found: error instanceof Error ? error.message : String(error) });
        }
      }
      if (options.json) {
        console.log(JSON.stringify(results, null, 2));
      } else {
        for (const { part, ok, found } of results) {
          console.log(`${ok ? "ok     " : "FAILED "} ${part}: ${found}`);
        }
      }
      finish(results.every(({ ok }) => ok) ? 0 : 2);
    });
  example(command, "familyseer doctor");
}

function checks(options: WorkerOptions): Check[] {
  return [
    { part: "Node", examine: async () => requireNode() },
    { part: "C compiler", examine: compiler },
    { part: "home", examine: writableHome },
    { part: "Python with TVM", examine: () => pythonWithAll(options.tvmPython) },
    { part: "worker", examine: () => askWorker(options) },
  ];
}

function requireNode(): string {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    throw new Error(`Node ${process.versions.node} is too old. Install Node 20 or newer.`);
  }
  return process.versions.node;
}

async function compiler(): Promise<string> {
  for (const name of ["cc", "gcc", "clang"]) {
    const { stdout, failed } = await execa(name, ["--version"], { reject: false });
    if (!failed) {
      return stdout.split("\n")[0] ?? name;
    }
  }
  throw new Error("there is none, and TVM links programs with it. Install one, e.g. apt install build-essential.");
}

async function pythonWithAll(named: string | undefined): Promise<string> {
  const python = tvmPython(named);
  const { failed, stderr, shortMessage } = await execa(python, pythonArguments("familyseer.needed"), {
    env: { PYTHONPATH: pythonPath() },
    reject: false,
  });
  if (failed) {
    throw new Error(stderr?.trim() || shortMessage);
  }
  return python;
}

async function writableHome(): Promise<string> {
  await access(home(), constants.W_OK).catch(() => {
    throw new Error(`${home()} cannot be written. Run \`npm run setup\`, or set FAMILYSEER_HOME to a folder of yours.`);
  });
  return home();
}

async function askWorker(options: WorkerOptions): Promise<string> {
  const worker = await startWorker(options);
  try {
    const begun = performance.now();
    for (let count = 0; count < PINGS; count += 1) {
      await worker.request("ping", {}, { deadlineMs: 10_000 });
    }
    const each = (performance.now() - begun) / PINGS;
    const threads = await worker.request("threads", { asked: null }, { deadlineMs: 10_000 });
    return `TVM ${worker.tvmVersion} on Python ${worker.pythonVersion}, a message's round trip ${each.toFixed(2)} ms; ${inWords(threads)}`;
  } finally {
    await worker.close();
  }
}
