import { access, constants, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { execa } from "execa";
import { counted } from "../counted.js";
import { inWords } from "../network/threads.js";
import { tunerWords } from "../tuner-name.js";
import { home, libraryFolder, pythonArguments, pythonEnvironment, tvmPython } from "../worker/installation.js";
import { startWorker, type WorkerOptions } from "../worker/start.js";
import { example, type Finish, withWorkerOptions } from "./command.js";
import { EXIT } from "./exit-code.js";

const PINGS = 100;

interface Found {
  readonly found: string;
  /** What works, but not in all. */
  readonly warning?: string;
}

interface Check {
  readonly part: string;
  /** Throws what is wrong and what to do. */
  readonly examine: () => Promise<Found>;
}

export function addDoctor(program: Command, finish: Finish): void {
  const described = program
    .command("doctor")
    .description("check every part of the installation and say what to do")
    .option("--json", "print an array of objects");
  const command = withWorkerOptions(described).action(async (options) => {
    const results = [];
    for (const { part, examine } of checks(options)) {
      try {
        results.push({ part, ok: true, warning: null, ...(await examine()) });
      } catch (error) {
        const found = error instanceof Error ? error.message : String(error);
        results.push({ part, ok: false, warning: null, found });
      }
    }
    if (options.json) {
      console.log(JSON.stringify(results, null, 2));
    } else {
      for (const { part, ok, warning, found } of results) {
        console.log(`${ok ? "ok     " : "FAILED "} ${part}: ${found}`);
        if (warning !== null) {
          console.log(`warning ${part}: ${warning}`);
        }
      }
    }
    finish(results.every(({ ok }) => ok) ? EXIT.done : EXIT.usage);
  });
  example(command, "familyseer doctor");
}

function checks(options: WorkerOptions): Check[] {
  return [
    { part: "Node", examine: async () => ({ found: requireNode() }) },
    { part: "C compiler", examine: compiler },
    { part: "home", examine: writableHome },
    { part: "Python with TVM", examine: () => pythonWithAll(options) },
    { part: "worker", examine: () => askWorker(options) },
    { part: "library", examine: ownLibrary },
  ];
}

function requireNode(): string {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    throw new Error(`Node ${process.versions.node} is too old. Install Node 20 or newer.`);
  }
  return process.versions.node;
}

async function compiler(): Promise<Found> {
  const broken: string[] = [];
  for (const name of ["cc", "gcc", "clang"]) {
    const { stdout, stderr, failed, code } = await execa(name, ["--version"], { reject: false });
    if (!failed) {
      await requireLinker();
      return { found: stdout.split("\n")[0] ?? name };
    }
    if (code !== "ENOENT") {
      broken.push(`${name} does not work (${stderr?.trim().split("\n").at(-1) || code})`);
    }
  }
  throw new Error(
    `${broken.join(", ") || "there is none"}, and TVM links programs with it. Install one, e.g. apt install build-essential.`,
  );
}

/** Where there is a linker by itself, programs are linked by that. */
async function requireLinker(): Promise<void> {
  const { stderr, failed, code } = await execa("ld", ["--version"], { reject: false });
  if (failed && code !== "ENOENT") {
    throw new Error(
      `ld, which programs are linked with, does not work (${stderr?.trim().split("\n").at(-1) || code}). Install it ` +
        "again, e.g. apt install --reinstall binutils, or take it off PATH.",
    );
  }
}

async function pythonWithAll({ tvmPython: named, tuner }: WorkerOptions): Promise<Found> {
  const python = tvmPython(named, "", tuner);
  const { failed, stdout, stderr, shortMessage } = await execa(python, pythonArguments("familyseer.needed"), {
    env: pythonEnvironment(),
    reject: false,
  });
  if (failed) {
    throw new Error(stderr?.trim() || shortMessage);
  }
  return { found: python, ...(stdout.trim() && { warning: stdout.trim() }) };
}

async function writableHome(): Promise<Found> {
  await access(home(), constants.W_OK).catch(() => {
    throw new Error(`${home()} cannot be written. Run \`npm run setup\`, or set FAMILYSEER_HOME to a folder of yours.`);
  });
  return { found: home() };
}

/** What earlier jobs in the fast mode left for later ones. */
async function ownLibrary(): Promise<Found> {
  const folder = libraryFolder();
  if (folder === null) {
    return { found: "none, by FAMILYSEER_LIBRARY" };
  }
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    files.filter((each) => each.isFile()).map(async (each) => (await stat(join(each.parentPath, each.name))).size),
  );
  const megabytes = (sizes.reduce((sum, each) => sum + each, 0) / 1e6).toFixed(1);
  const targets = files.filter((each) => each.isDirectory()).length;
  return {
    found:
      targets === 0
        ? `${folder}, in which nothing is yet`
        : `${folder}, ${megabytes} MB of what earlier jobs found, for ${counted(targets, "target")}; removing it loses nothing else`,
  };
}

async function askWorker(options: WorkerOptions): Promise<Found> {
  const worker = await startWorker(options);
  try {
    const begun = performance.now();
    for (let count = 0; count < PINGS; count += 1) {
      await worker.request("ping", {});
    }
    const each = (performance.now() - begun) / PINGS;
    const threads = await worker.request("threads", { asked: null });
    const versions = `TVM ${worker.tvmVersion}, which tunes by ${tunerWords(worker.tuner)}, on Python ${worker.pythonVersion}`;
    return { found: `${versions}, a message's round trip ${each.toFixed(2)} ms; ${inWords(threads)}` };
  } finally {
    await worker.close();
  }
}
