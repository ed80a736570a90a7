import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
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

const SCRIPTED_MS = 1_200;
const REAL_MS = 4_000;
const DAY = 86_400;
/** Longer than either side waits for the other. */
const LOST_MS = 36_000;

const scripted = { settings: (kit: Kit) => kit.scripted(), seconds: 2 } as const;
const real = { settings: (kit: Kit) => kit.real(), seconds: 18 } as const;
const onServers = { settings: (kit: Kit) => kit.onServers(), seconds: 22 } as const;

export const FAULTS: readonly Fault[] = [
  killOrchestrator("orchestrator killed, scripted", scripted, SCRIPTED_MS, { strikes: 6, jobs: [32, 1, 1] }),
  killPart("worker killed, scripted", "worker", scripted, SCRIPTED_MS, { strikes: 6, jobs: [14, 1, 1] }),
  killOrchestrator("orchestrator killed", real, 3 * REAL_MS, { strikes: 3, jobs: [5, 1, 0] }),
  killPart("worker killed", "worker", real, 2 * REAL_MS, { strikes: 3, jobs: [4, 1, 0] }),
  { ...killPart("fork server killed", "fork server", real, REAL_MS, { strikes: 1, jobs: [6, 1, 0] }), survived: true },
  { ...killPart("builder killed", "builder", real, 1_000, { strikes: 3, jobs: [6, 1, 1] }), survived: true },
  { ...killPart("runner killed", "runner", real, 1_000, { strikes: 3, jobs: [6, 1, 0] }), survived: true },
  stopPart("builder hangs", "builder", real, [4, 1, 0]),
  stopPart("runner hangs", "runner", real, [4, 1, 0]),
  {
    ...stopPart("worker stalls", "worker", scripted, [6, 1, 1]),
    strike: async (life, { draw }) => {
      const pid = (await begun(life)) ? await life.part("worker") : null;
      if (pid === null || !signal(pid, "SIGSTOP")) {
        return false;
      }
      await setTimeout(500 + draw(2_000));
      return signal(pid, "SIGCONT");
    },
  },
  { ...stopPart("worker hangs", "worker", scripted, [2, 1, 0]), survived: false, says: /silent for 30 s/, seconds: 36 },
  {
    name: "RPC server killed",
    ...onServers,
    survived: true,
    strikes: 1,
    jobs: [10, 1, 0],
    strike: async (life, { kit, draw }) => {
      const there = await during(life, draw(REAL_MS));
      (await kit.servers()).killServer(draw(2));
      return there;
    },
  },
  {
    name: "RPC tracker killed",
    ...onServers,
    survived: true,
    strikes: 1,
    jobs: [5, 1, 0],
    strike: async (life, { kit, draw }) => {
      const there = await during(life, draw(REAL_MS));
      (await kit.servers()).killTracker();
      return there;
    },
  },
  {
    name: "no memory in the worker",
    ...real,
    survived: null,
    says: /memory|Memory|bad_alloc|worker process|cannot be started|allocate/,
    strikes: 2,
    jobs: [4, 1, 0],
    unavailable: () => refusal("prlimit", "--version"),
    strike: async (life, { draw }) => {
      const pid = (await during(life, draw(REAL_MS))) ? await life.part("worker") : null;
      return pid !== null && limitMemory(pid, draw(64) << 20);
    },
  },
  {
    name: "disk full",
    ...scripted,
    survived: false,
    says: /cannot be written .*ENOSPC/,
    strikes: 1,
    jobs: [10, 2, 1],
    unavailable: cannotMount,
    prepare: ({ job, draw }) => mountDisk(job, `size=${24 + draw(60)}k`),
    strike: async (life) => {
      await life.end;
      return true;
    },
    mend: ({ job }) => remount(job, "size=8m"),
    clean: unmount,
  },
  {
    name: "disk read-only",
    ...scripted,
    survived: false,
    says: /cannot be written .*EROFS/,
    strikes: 2,
    jobs: [8, 2, 1],
    unavailable: cannotMount,
    prepare: ({ job }) => mountDisk(job, "size=8m"),
    strike: async (life, { job, draw }) => {
      if (job.lives.length > 1) {
        await life.end;
        return true;
      }
      const there = await measuredSome(life, draw);
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
    jobs: [8, 1, 1],
    strike: async (life, { job, draw }) => {
      const there = await measuredSome(life, draw);
      await rm(job.log, { force: true });
      return there;
    },
  },
  {
    name: "clock jumps",
    settings: async (kit) => ({ ...kit.scripted(), environment: (await kit.clock()).environment }),
    seconds: 3,
    survived: true,
    strikes: 1,
    jobs: [8, 2, 1],
    unavailable: () => refusal("cc", "--version"),
    strike: async (life, { kit, draw }) => {
      const clock = await kit.clock();
      for (const days of [1, -1, 3650, -3650]) {
        await during(life, draw(200));
        await clock.jump(days * DAY);
      }
      return true;
    },
    clean: async ({ kit }) => (await kit.clock()).jump(0),
  },
  cutConnection("connection cut, restored", true, [6, 2, 1]),
  { ...cutConnection("connection lost", false, [2, 1, 0]), says: /silent for 30 s/, seconds: 45 },
];

type Kind = Pick<Fault, "settings" | "seconds">;
type Size = Pick<Fault, "strikes" | "jobs">;

/** At any moment, also before it has begun. */
function killOrchestrator(name: string, kind: Kind, withinMs: number, size: Size): Fault {
  return {
    name,
    ...kind,
    ...size,
    seconds: kind.seconds * (1 + size.strikes / 2),
    survived: false,
    strike: async (life, { draw }) => {
      await Promise.race([setTimeout(draw(withinMs)), life.end]);
      return signal(life.pid, "SIGKILL");
    },
  };
}

function killPart(name: string, part: Part, kind: Kind, withinMs: number, size: Size): Fault {
  return {
    name,
    ...kind,
    ...size,
    seconds: kind.seconds * (1 + size.strikes / 2),
    survived: false,
    says: /worker process was ended by SIGKILL/,
    strike: async (life, { draw }) => {
      if ((await life.part(part)) === null) {
        return false;
      }
      await Promise.race([setTimeout(draw(withinMs)), life.end]);
      const pid = await life.part(part);
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
    strike: async (life, { draw }) => {
      const there = await during(life, draw(500));
      const pid = there ? await life.part(part) : null;
      return pid !== null && signal(pid, "SIGSTOP");
    },
  };
}

function cutConnection(name: string, survived: boolean, jobs: Fault["jobs"]): Fault {
  return {
    name,
    settings: async (kit) => {
      const { arguments: settings, trials } = kit.scripted();
      return { arguments: [...settings, ...(await kit.network()).listen], trials };
    },
    seconds: 8,
    survived,
    strikes: 1,
    jobs,
    unavailable: () => refusal("unshare", "--net", "ip", "link"),
    accompany: async ({ kit, job }) => {
      const [command = "", ...args] = (await kit.network()).connect(kit.scriptedWorker);
      execa(command, args, { env: job.environment, stdio: "ignore", reject: false });
    },
    strike: async (life, { kit, draw }) => {
      const network = await kit.network();
      if (!(await measuredSome(life, draw))) {
        return false;
      }
      await network.cut();
      await setTimeout(survived ? 1_000 + draw(4_000) : LOST_MS);
      await network.restore();
      return true;
    },
  };
}

/** Whether the job still runs, some time after its tasks were known. */
async function during(life: Life, ms: number): Promise<boolean> {
  await begun(life);
  return (await Promise.race([setTimeout(ms, true), life.end])) === true;
}

function begun(life: Life): Promise<boolean> {
  return life.until(() => life.begun);
}

function measuredSome(life: Life, draw: Trial["draw"]): Promise<boolean> {
  const some = 1 + draw(60);
  return life.until(() => life.measured >= some);
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
