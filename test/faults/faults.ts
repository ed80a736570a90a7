import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { countRecords } from "./checks.js";
import type { Job, JobSettings, Life } from "./job.js";
import { type Kit, refusal } from "./kit.js";
import { type Part, signal } from "./processes.js";

/** What a fault is given to do its work. */
export interface Trial {
  readonly kit: Kit;
  readonly job: Job;
  /** A whole number from 0 to `count - 1`. */
  readonly draw: (count: number) => number;
}

export interface Fault {
  readonly name: string;
  /** Whether the job goes on without us; otherwise it ends, and is gone on with. Null: either. */
  readonly survived: boolean | null;
  /** What it says then, if it has the time to. */
  readonly says?: RegExp;
  /** Times that one job is struck at most. */
  readonly strikes: number;
  /** Jobs in a full run, in a middle-sized one, and in the short one of `npm test`. */
  readonly jobs: readonly [full: number, middle: number, short: number];
  /** Seconds that a job takes, about. */
  readonly seconds: number;
  /** Why it cannot be done here; null if it can. */
  unavailable?(): Promise<string | null>;
  settings(kit: Kit): JobSettings | Promise<JobSettings>;
  /** Before the first life. */
  prepare?(trial: Trial): Promise<void>;
  /** With each life that begins. */
  accompany?(trial: Trial): Promise<void>;
  /** Does it to a job that was just started; whether it came to that before the job ended. */
  strike(life: Life, trial: Trial): Promise<boolean>;
  /** After the job ended by it, before it is gone on with. */
  mend?(trial: Trial): Promise<void>;
  /** After all. */
  clean?(trial: Trial): Promise<void>;
}

const DAY = 86_400;
/** Longer than either side waits for the other. */
const LOST_MS = 36_000;

const scripted = { settings: (kit: Kit) => kit.scripted(), seconds: 1.5 } as const;
const real = { settings: (kit: Kit) => kit.real(), seconds: 6 } as const;
const onServers = {
  settings: (kit: Kit) => kit.onServers(),
  seconds: 9,
  prepare: async ({ kit }: Trial) => (await kit.servers()).up(),
  mend: async ({ kit }: Trial) => (await kit.servers()).up(),
} as const;

export const FAULTS: readonly Fault[] = [
  killOrchestrator("orchestrator killed, scripted", scripted, { strikes: 6, jobs: [60, 3, 1] }),
  killPart("worker killed, scripted", "worker", scripted, { strikes: 6, jobs: [40, 3, 1] }),
  killOrchestrator("orchestrator killed", real, { strikes: 3, jobs: [10, 2, 0] }),
  killPart("worker killed", "worker", real, { strikes: 3, jobs: [8, 1, 0] }),
  {
    name: "all killed at once",
    ...real,
    seconds: 12,
    survived: false,
    strikes: 2,
    jobs: [6, 1, 0],
    strike: async (life, trial) => {
      const there = await moment(life, trial);
      life.kill();
      return there;
    },
  },
  { ...killPart("fork server killed", "fork server", real, { strikes: 1, jobs: [6, 1, 0] }), survived: true },
  { ...killPart("builder killed", "builder", real, { strikes: 3, jobs: [8, 1, 1] }), survived: true },
  { ...killPart("runner killed", "runner", real, { strikes: 3, jobs: [8, 1, 0] }), survived: true },
  stopPart("builder hangs", "builder", real, [5, 1, 0]),
  stopPart("runner hangs", "runner", real, [5, 1, 0]),
  {
    ...stopPart("worker stalls", "worker", scripted, [8, 1, 1]),
    strike: async (life, trial) => {
      const pid = (await moment(life, trial)) ? await life.part("worker") : null;
      if (pid === null || !signal(pid, "SIGSTOP")) {
        return false;
      }
      await setTimeout(500 + trial.draw(2_000));
      return signal(pid, "SIGCONT");
    },
  },
  {
    ...stopPart("worker hangs", "worker", scripted, [3, 1, 0]),
    survived: false,
    says: /silent for 30 s|did not say hello/,
    seconds: 36,
  },
  {
    name: "RPC server killed",
    ...onServers,
    survived: true,
    strikes: 1,
    jobs: [12, 1, 0],
    strike: async (life, trial) => {
      const there = await moment(life, trial);
      (await trial.kit.servers()).killServer(trial.draw(2));
      return there;
    },
  },
  {
    name: "RPC tracker killed",
    ...onServers,
    // A job that begins looks whether it is there; one that measures waits for it.
    survived: null,
    says: /tracker .* (cannot be reached|has no server)/,
    strikes: 1,
    jobs: [6, 1, 0],
    strike: async (life, trial) => {
      const there = await moment(life, trial);
      (await trial.kit.servers()).killTracker();
      return there;
    },
  },
  {
    name: "no memory in the worker",
    ...real,
    survived: null,
    says: /memory|Memory|bad_alloc|worker process|cannot be started|allocate|did not say hello/,
    strikes: 2,
    jobs: [6, 1, 0],
    unavailable: () => refusal("prlimit", "--version"),
    strike: async (life, trial) => {
      const pid = (await moment(life, trial)) ? await life.part("worker") : null;
      return pid !== null && limitMemory(pid, trial.draw(64) << 20);
    },
  },
  diskFull("disk full", scripted, [12, 2, 1]),
  diskFull("disk full, a database", { ...scripted, settings: (kit) => kit.scriptedDatabase() }, [6, 2, 1]),
  {
    name: "disk read-only",
    ...scripted,
    survived: false,
    says: /cannot be written .*EROFS/,
    strikes: 2,
    jobs: [10, 2, 1],
    unavailable: cannotMount,
    prepare: ({ job }) => mountDisk(job, "size=8m"),
    strike: async (life, trial) => {
      if (trial.job.lives.length > 1) {
        await life.end;
        return true;
      }
      const there = await moment(life, trial, 1);
      return there && signal(life.pid, "SIGKILL");
    },
    mend: ({ job }) => remount(job, job.lives.length === 1 ? "ro" : "rw"),
    clean: unmount,
  },
  {
    name: "log removed",
    ...scripted,
    survived: false,
    says: /was removed/,
    strikes: 3,
    jobs: [10, 1, 1],
    strike: async (life, trial) => {
      // From a job that is done anything may be removed, and one that has all its records is, but for its last word.
      const there =
        (await moment(life, trial, 1)) && (await countRecords(trial.job)).records < trial.job.settings.trials;
      if (there) {
        await rm(trial.job.log);
      }
      return there;
    },
  },
  {
    name: "clock jumps",
    settings: async (kit) => ({ ...kit.scripted(), environment: (await kit.clock()).environment }),
    seconds: 3,
    survived: true,
    strikes: 1,
    jobs: [10, 1, 1],
    unavailable: () => refusal("cc", "--version"),
    strike: async (life, { kit, draw }) => {
      const clock = await kit.clock();
      for (const days of [1, -1, 3650, -3650]) {
        const some = life.measured + 1 + draw(25);
        await life.until(() => life.measured >= some);
        await clock.jump(days * DAY);
      }
      return true;
    },
    clean: async ({ kit }) => (await kit.clock()).jump(0),
  },
  cutConnection("connection cut, restored", true, [8, 1, 1]),
  { ...cutConnection("connection lost", false, [3, 1, 0]), says: /silent for 30 s/, seconds: 45 },
];

type Kind = Pick<Fault, "settings" | "seconds">;
type Size = Pick<Fault, "strikes" | "jobs">;

function diskFull(name: string, kind: Pick<Fault, "settings" | "seconds">, jobs: Fault["jobs"]): Fault {
  return {
    name,
    ...kind,
    survived: false,
    says: /cannot be written .*ENOSPC/,
    strikes: 1,
    jobs,
    unavailable: cannotMount,
    prepare: ({ job, draw }) => mountDisk(job, `size=${24 + draw(60)}k`),
    strike: async (life) => {
      await life.end;
      return true;
    },
    mend: ({ job }) => remount(job, "size=8m"),
    clean: unmount,
  };
}

function killOrchestrator(name: string, kind: Kind, size: Size): Fault {
  return {
    name,
    ...kind,
    ...size,
    seconds: kind.seconds * (1 + size.strikes / 3),
    survived: false,
    strike: async (life, trial) => {
      const there = await moment(life, trial);
      return there && signal(life.pid, "SIGKILL");
    },
  };
}

function killPart(name: string, part: Part, kind: Kind, size: Size): Fault {
  return {
    name,
    ...kind,
    ...size,
    seconds: kind.seconds * (1 + size.strikes / 3),
    survived: false,
    says: /worker process was ended by SIGKILL/,
    strike: async (life, trial) => {
      const pid = (await moment(life, trial)) ? await life.part(part) : null;
      return pid !== null && signal(pid, "SIGKILL");
    },
  };
}

function stopPart(name: string, part: Part, kind: Kind, jobs: Fault["jobs"]): Fault {
  return {
    name,
    ...kind,
    survived: true,
    strikes: 1,
    jobs,
    strike: async (life, trial) => {
      const pid = (await moment(life, trial)) ? await life.part(part) : null;
      return pid !== null && signal(pid, "SIGSTOP");
    },
  };
}

function cutConnection(name: string, survived: boolean, jobs: Fault["jobs"]): Fault {
  return {
    name,
    settings: async (kit) => {
      const settings = kit.scripted();
      return { ...settings, arguments: [...settings.arguments, ...(await kit.network()).listen] };
    },
    seconds: 5,
    survived,
    strikes: 1,
    jobs,
    unavailable: () => refusal("unshare", "--net", "ip", "link"),
    accompany: async ({ kit, job }) => {
      const [command = "", ...args] = (await kit.network()).connect(kit.scriptedWorker);
      void execa(command, args, { env: job.environment, stdio: "ignore", reject: false });
    },
    strike: async (life, trial) => {
      const network = await trial.kit.network();
      if (!(await moment(life, trial, 1))) {
        return false;
      }
      await network.cut();
      await setTimeout(survived ? 1_000 + trial.draw(4_000) : LOST_MS);
      await network.restore();
      return true;
    },
  };
}

/** A moment of a job, drawn: one in four as it begins, the others anywhere in its rounds; whether it still runs then. */
async function moment(life: Life, { job, draw }: Trial, atLeast = 0): Promise<boolean> {
  const left = job.settings.trials - job.reported.length;
  const some = atLeast + draw(Math.max(1, left - atLeast));
  const [beginning, pause] = [draw(job.settings.beginsIn), draw(100)];
  if (atLeast === 0 && draw(4) === 0) {
    return (await Promise.race([setTimeout(beginning, true), life.end])) === true;
  }
  const there = await life.until(() => life.begun && life.measured >= some);
  return there && (await Promise.race([setTimeout(pause, true), life.end])) === true;
}

async function limitMemory(pid: number, more: number): Promise<boolean> {
  const [, pages = "0"] = /^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (await refusal("prlimit", "--pid", String(pid), `--as=${Number(pages) * 1024 + more}`)) === null;
}

async function cannotMount(): Promise<string | null> {
  return refusal("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt");
}

async function mountDisk(job: Job, options: string): Promise<void> {
  await execa("mount", ["-t", "tmpfs", "-o", options, "tmpfs", job.folder]);
}

async function remount(job: Job, options: string): Promise<void> {
  await execa("mount", ["-o", `remount,${options}`, job.folder]);
}

async function unmount({ job }: Trial): Promise<void> {
  await execa("umount", ["--lazy", job.folder]);
}
