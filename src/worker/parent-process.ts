import { readdirSync, readFileSync } from "node:fs";
import type { Peer, StartPeer } from "./zeromq-channel.js";

const WATCH_MS = 500;

/**
 * The user's own process, which started this one and works for it. Nothing here ends it; its end is noticed, and what
 * it leaves behind is ended: every process with `mark` (NAME=VALUE) in its environment.
 */
export function parentProcess(pid: number, mark: string): StartPeer {
  return (_address, ended) => new ParentProcess(pid, mark, ended);
}

class ParentProcess implements Peer {
  readonly lastOutput: readonly string[] = [];
  readonly #watch: NodeJS.Timeout;

  constructor(pid: number, mark: string, ended: (reason: string) => void) {
    // Not the end of a pipe from it: processes that it forked may hold that open.
    this.#watch = setInterval(() => {
      if (process.ppid !== pid) {
        clearInterval(this.#watch);
        endMarked(mark);
        ended("ended");
      }
    }, WATCH_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
  }
}

function endMarked(mark: string): void {
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) {
      continue;
    }
    try {
      if (readFileSync(`/proc/${name}/environ`, "utf8").split("\0").includes(mark)) {
        process.kill(pid, "SIGKILL");
      }
    } catch {
      // Gone already, or another user's.
    }
  }
}
