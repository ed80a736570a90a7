import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { journalOf } from "../../src/records/paths.js";
import { newLogOf } from "../../src/records/place.js";
import type { WorkerScript } from "./scripted-worker.js";
import { temporaryFolder } from "./temporary-folder.js";

const WORKER = fileURLToPath(new URL("./scripted-worker.js", import.meta.url));

/** Writes what stands in for a Python, whose worker is the scripted one; by FAMILYSEER_SCRIPT where no script is given. */
export async function scriptedPython(folder: string, script?: WorkerScript): Promise<string> {
  const path = join(folder, "python");
  const told = script ? `FAMILYSEER_SCRIPT='${JSON.stringify(script)}' ` : "";
  await writeFile(path, `#!/bin/sh\n${told}exec ${process.execPath} ${WORKER} "$@"\n`, { mode: 0o755 });
  return path;
}

/** How a process of the command line ended, and the events it told of. */
export interface Ended {
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly events: readonly { readonly type: string; readonly [field: string]: unknown }[];
}

/** A folder with a log, and the command line's `tune` with a scripted worker on it. */
export class ScriptedTuning {
  private constructor(
    readonly folder: string,
    private readonly script: WorkerScript,
  ) {}

  /** Where there is no script, each run's environment may have one. */
  static async make(script?: WorkerScript): Promise<ScriptedTuning> {
    const folder = await temporaryFolder();
    await scriptedPython(folder, script);
    return new ScriptedTuning(folder, script ?? {});
  }

  /** What stands in for a Python: the scripted worker. */
  get python(): string {
    return join(this.folder, "python");
  }

  get log(): string {
    return join(this.folder, "t.log");
  }

  /** The log, or, of a database, the file of records in it. */
  get recordsFile(): string {
    return newLogOf(this.script.tuner ?? "ansor", this.log);
  }

  get journal(): string {
    return journalOf(this.recordsFile);
  }

  /** The command line's `tune`, for another program to run. */
  command(...args: readonly string[]): string[] {
    const options = ["--model", "scripted", "--log", this.log, "--tvm-python", this.python, ...args];
    return ["env", "FAMILYSEER_TVM_PYTHON=", "node", resolve("scripts/familyseer.js"), "tune", ...options];
  }

  /** Starts a job; it is killed when it has told of `killAfter` events. */
  async run(
    args: readonly string[],
    killAfter = Number.POSITIVE_INFINITY,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ended> {
    const [command = "", ...tuning] = this.command("--json", ...args);
    const running = execa(command, tuning, { reject: false, env });
    const events: Ended["events"][number][] = [];
    for await (const line of createInterface({ input: running.stdout })) {
      events.push(JSON.parse(line));
      if (events.length === killAfter) {
        running.kill("SIGKILL");
      }
    }
    const { exitCode, stderr } = await running;
    return { exitCode, stderr, events };
  }

  async records(): Promise<string[]> {
    return (await readFile(this.recordsFile, "utf8")).split("\n").slice(0, -1);
  }

  /** What was decided, and what came of it, round by round. */
  async decisions(): Promise<unknown[]> {
    const rounds = new Map<number, unknown>();
    for (const line of (await readFile(this.journal, "utf8")).trim().split("\n")) {
      const { type, round, costs, origins, outcome, accuracy } = JSON.parse(line);
      if (type === "round-finished") {
        rounds.set(round.index, { round, costs, origins, outcome, accuracy });
      }
    }
    return [...rounds.values()];
  }
}
