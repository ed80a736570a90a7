import { setTimeout } from "node:timers/promises";
import { seededDraw } from "../../src/index.js";
import { countRecords, leftovers } from "./checks.js";
import { FAULTS, type Fault, type Trial } from "./faults.js";
import { type End, Job, type Life } from "./job.js";
import { Kit } from "./kit.js";
import { endAll } from "./processes.js";

const SIZES = { full: 0, middle: 1, short: 2 } as const;
export type Size = keyof typeof SIZES;

/** A life that is not over by then hangs. */
const LIFE_MS = 180_000;
/** What ends a job says so. */
const SAYS_WHY = /^familyseer: /m;

export interface FaultsOptions {
  readonly seed: number;
  readonly size: Size;
  /** Kinds whose name has this. */
  readonly only?: string | undefined;
}

/** What came of the jobs of one kind of fault. */
export interface Tally {
  readonly name: string;
  /** Why it was not done. */
  skipped: string | null;
  jobs: number;
  strikes: number;
  /** Records that were reported when a job was struck last, and that its log had in the end. */
  before: number;
  after: number;
  lost: number;
  doubled: number;
  leaked: number;
  /** All that must not be, a line each. */
  readonly defects: string[];
}

export function chosen({ size, only = "" }: Omit<FaultsOptions, "seed">): { fault: Fault; jobs: number }[] {
  return FAULTS.map((fault) => ({ fault, jobs: fault.jobs[SIZES[size]] })).filter(
    ({ fault, jobs }) => jobs > 0 && fault.name.includes(only),
  );
}

export function estimateSeconds(options: Omit<FaultsOptions, "seed">): number {
  return chosen(options).reduce((sum, { fault, jobs }) => sum + jobs * fault.seconds, 0);
}

/** Strikes real jobs, one after another, and looks at what they leave. */
export async function* runFaults({ seed, ...options }: FaultsOptions): AsyncGenerator<Tally> {
  const kit = await Kit.make();
  try {
    for (const { fault, jobs } of chosen(options)) {
      const tally = emptyTally(fault.name, (await fault.unavailable?.()) ?? null);
      for (let index = 0; tally.skipped === null && index < jobs; index += 1) {
        // A kind's jobs are the same whether others run or not.
        await runJob(fault, kit, seededDraw(seed + 1000 * FAULTS.indexOf(fault) + index), tally);
      }
      yield tally;
    }
  } finally {
    await kit.remove();
  }
}

async function runJob(fault: Fault, kit: Kit, draw: Trial["draw"], tally: Tally): Promise<void> {
  const job = await Job.prepare(await fault.settings(kit));
  const trial: Trial = { kit, job, draw };
  const defect = (what: string) => tally.defects.push(`job ${tally.jobs + 1}: ${what}`);
  try {
    await fault.prepare?.(trial);
    await live(fault, trial, tally, defect);
    await checkEnd(trial, tally, defect);
  } catch (error) {
    defect(String(error));
  } finally {
    endAll(job.mark);
    await fault.clean?.(trial);
    await job.remove();
    tally.jobs += 1;
  }
}

/** Starts the job, and goes on with it, until it is done. */
async function live(fault: Fault, trial: Trial, tally: Tally, defect: (what: string) => void): Promise<void> {
  const { job } = trial;
  let before = 0;
  for (let strikes = 0; ; ) {
    const life = job.start();
    await fault.accompany?.(trial);
    let struck = 0;
    for (let again = true; again && strikes < fault.strikes; strikes += 1) {
      again = await fault.strike(life, trial);
      struck += again ? 1 : 0;
      before = again ? job.reported.length : before;
      again &&= fault.survived === true;
    }
    const end = await Promise.race([life.end, setTimeout(LIFE_MS, null, { ref: false })]);
    if (end === null) {
      defect(`does not end; ${job.reported.length} of ${job.settings.trials} are measured`);
      return;
    }
    tally.strikes += struck;
    await checkRecords(trial, tally, defect);
    if (life.done && end.code === 0) {
      tally.before += before;
      return;
    }
    const wrong = wrongEnd(fault, struck > 0, end, life);
    if (wrong !== null) {
      defect(`${wrong} (${strikes} strikes, code ${end.code}): ${end.errors.trim() || "says nothing"}`);
      return;
    }
    await fault.mend?.(trial);
  }
}

/** What is not as it should be about how a life ended before its job was done. */
function wrongEnd(fault: Fault, struck: boolean, end: End, life: Life): string | null {
  if (!struck) {
    return "ends though nothing was done to it";
  }
  if (fault.survived) {
    return "does not go on by itself";
  }
  // One that was killed says nothing; one that is done, but for its last word, neither.
  if (end.code === null || life.done) {
    return null;
  }
  return SAYS_WHY.test(end.errors) && (fault.says?.test(end.errors) ?? true) ? null : "does not say why it ends";
}

async function checkRecords({ job }: Trial, tally: Tally, defect: (what: string) => void): Promise<void> {
  const { lost, doubled } = await countRecords(job);
  tally.lost += lost;
  tally.doubled += doubled;
  if (lost > 0 || doubled > 0) {
    defect(`${lost} records lost, ${doubled} doubled`);
  }
}

async function checkEnd({ job, kit }: Trial, tally: Tally, defect: (what: string) => void): Promise<void> {
  const left = await leftovers(job);
  tally.leaked += left.length;
  if (left.length > 0) {
    defect(`leaves ${left.join(", ")}`);
  }
  const { records } = await countRecords(job);
  tally.after += records;
  const { trials } = job.settings;
  if (records !== trials) {
    defect(`has ${records} records instead of ${trials}`);
  }
  if (job.settings.database) {
    // Its programs are made up; test/real/database.test.ts has TVM read real ones.
    return;
  }
  const readByTvm = await kit.plainTvm.read(job.log);
  if (readByTvm !== String(records)) {
    defect(`of ${records} records plain TVM reads: ${readByTvm}`);
  }
}

function emptyTally(name: string, skipped: string | null): Tally {
  const counts = { jobs: 0, strikes: 0, before: 0, after: 0, lost: 0, doubled: 0, leaked: 0 };
  return { name, skipped, ...counts, defects: [] };
}
