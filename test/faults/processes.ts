import { readdirSync, readFileSync } from "node:fs";

/** What processes of a job are called by the tests, found by what the kernel says of them. */
export const PARTS = {
  worker: (it: Process) => it.arguments.includes("--connect") && it.command !== "sh",
  "fork server": (it: Process) =>
    it.arguments.includes("familyseer.measuring.fork_server") && !it.name.startsWith("seer-"),
  builder: (it: Process) => it.name === "seer-build",
  runner: (it: Process) => it.name.startsWith("seer-run"),
} as const;
export type Part = keyof typeof PARTS;

export interface Process {
  readonly pid: number;
  /** What it calls itself. */
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
}

/** The processes, zombies left out, that have `mark` (NAME=VALUE) in their environment. */
export function marked(mark: string): Process[] {
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry);
    try {
      if (!Number.isInteger(pid) || !read(pid, "environ").includes(mark)) {
        return [];
      }
      const [command = "", ...args] = read(pid, "cmdline");
      return [{ pid, name: read(pid, "comm")[0]?.trim() ?? "", command, arguments: args }];
    } catch {
      // Gone meanwhile, or a zombie.
      return [];
    }
  });
}

export function partsOf(mark: string, part: Part): Process[] {
  return marked(mark).filter(PARTS[part]);
}

/** Sends a signal; whether there was a process to get it. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Ends all that is marked. */
export function endAll(mark: string): void {
  for (const { pid } of marked(mark)) {
    signal(pid, "SIGKILL");
  }
}

function read(pid: number, file: string): string[] {
  return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
}
