import { readFile } from "node:fs/promises";
import { join, parse } from "node:path";
import type { z } from "zod";
import { CancelledError, WorkerFailureError } from "../errors.js";
import { home, pythonArguments, pythonEnvironment, tvmPython } from "../worker/installation.js";
import { WorkerProcess } from "../worker/worker-process.js";
import type { Run } from "./experiment.js";

const SHOWN_LINES = 8;

/** A Python program of `familyseer.experiments`, which writes what it measured to `--out FILE` as JSON. */
export interface Script<R> {
  readonly name: string;
  readonly seconds: number;
  /** Its module's file, and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  /** Decides which of Ansor's TVMs runs it. */
  readonly target?: string;
  readonly tvmPython?: string | undefined;
  readonly result: z.ZodType<R>;
}

/** A run that is one script. */
export function scriptRun<R>(script: Script<R>): Run<R> {
  const { name, seconds, args, result } = script;
  return {
    name,
    seconds,
    identity: { script: script.script, args, target: script.target ?? null },
    result,
    perform: (folder, signal) => perform(script, folder, signal),
  };
}

/** Runs a script and reads what it wrote. */
export async function perform<R>(script: Script<R>, folder: string, signal: AbortSignal): Promise<R> {
  const out = join(folder, "out.json");
  await runScript(
    [script.script, ...script.args, "--out", out],
    tvmPython(script.tvmPython, script.target, "ansor"),
    signal,
  );
  return script.result.parse(JSON.parse(await readFile(out, "utf8")));
}

/** Runs a program of `familyseer.experiments`, by its file, until it ends, or until `signal` ends it and all it started. */
export async function runScript(command: readonly string[], python: string, signal: AbortSignal): Promise<void> {
  const [script = "", ...args] = command;
  const started = pythonArguments(`familyseer.experiments.${parse(script).name}`, ...args);
  const env = { ...pythonEnvironment(), FAMILYSEER_HOME: home() };
  const { reason, lines } = await untilEnd(python, started, env, signal);
  if (signal.aborted) {
    throw new CancelledError(`${script} was ended.`);
  }
  if (reason !== "exited with code 0") {
    const last = lines.slice(-SHOWN_LINES).join("\n  ");
    throw new WorkerFailureError(`${command.join(" ")} ${reason}. Its last lines of output:\n  ${last}`);
  }
}

function untilEnd(
  python: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ reason: string; lines: readonly string[] }> {
  const listening = new AbortController();
  return new Promise((resolve) => {
    const ended = (reason: string) => {
      listening.abort();
      resolve({ reason, lines: running.lastOutput });
    };
    const running = new WorkerProcess({ python, args, env, ended });
    signal.addEventListener("abort", () => void running.end(0), { once: true, signal: listening.signal });
  });
}
