import type { Decider } from "../src/core/decider.js";
import { FastScheduler } from "../src/core/fast/fast-scheduler.js";
import { scoreAllBy } from "../src/core/objective.js";
import { groupFamilies, Scheduler, type SchedulerOptions, seededDraw, type Task, weightedSum } from "../src/index.js";
import { table } from "../src/report/format.js";

/**
 * What deciding costs as the tasks of a job become more: scripted jobs, whose programs are a table look-up, with
 * rounds in proportion to tasks. Each round is what `tune` does: next, likelyNext, observe. An argument picks the kinds
 * of jobs whose name has it.
 */
const TASK_COUNTS = [10, 100, 1000, 10_000];
const ROUNDS_PER_TASK = 5;
const TRIALS_PER_ROUND = 16;
/** Jobs are run again, with other seeds, until so much time was measured, or so many were run. */
const LEAST_SECONDS = 3;
const MOST_JOBS = 100;

interface Kind {
  readonly name: string;
  readonly families: boolean;
  /** The fast mode's scheduler; the model expects something of every sibling. */
  readonly fast?: boolean;
  /** The objective as a function that can only be asked. */
  readonly asked?: boolean;
  /** One task in so many has no program that runs; its cost of 1e10 s stays in the sum. */
  readonly failing?: number;
  readonly mostTasks: number;
}

const KINDS: readonly Kind[] = [
  { name: "weighted sum", families: false, mostTasks: 10_000 },
  { name: "weighted sum, families", families: true, mostTasks: 10_000 },
  { name: "fast mode, families", families: true, fast: true, mostTasks: 10_000 },
  { name: "weighted sum, families, one task in ten never runs", families: true, failing: 10, mostTasks: 1000 },
  { name: "an objective of the user's, families", families: true, asked: true, mostTasks: 1000 },
];

interface Job {
  readonly taskCount: number;
  readonly decisions: number;
  readonly seconds: number;
  readonly megabytes: number;
}

await runJob({ name: "warm-up of the engine", families: true, mostTasks: 100 }, 100, 0);
for (const kind of KINDS.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
  const jobs: Job[] = [];
  for (const taskCount of TASK_COUNTS.filter((count) => count <= kind.mostTasks)) {
    jobs.push(await medianJob(kind, taskCount));
  }
  console.log(`\n${kind.name}`);
  console.log(
    table(
      ["tasks", "decisions", "seconds", "decisions/s", "memory (MB)", "growth, n^", "of n log n, n^"],
      jobs.map((job, index) => [
        job.taskCount,
        job.decisions,
        job.seconds.toFixed(4),
        Math.round(job.decisions / job.seconds),
        job.megabytes.toFixed(2),
        ...exponents(jobs[index - 1], job),
      ]),
    ),
  );
}

/** The exponents by which the time, and n log n, grew from one size to the next. */
function exponents(from: Job | undefined, to: Job): string[] {
  if (!from) {
    return ["-", "-"];
  }
  const grown = (work: (job: Job) => number) =>
    (Math.log(work(to) / work(from)) / Math.log(to.taskCount / from.taskCount)).toFixed(2);
  return [grown((job) => job.seconds), grown((job) => job.taskCount * Math.log(job.taskCount))];
}

/** The median by time. */
async function medianJob(kind: Kind, taskCount: number): Promise<Job> {
  const first = await runJob(kind, taskCount, 1);
  const jobs = [first];
  for (let seed = 2, spent = first.seconds; spent < LEAST_SECONDS && jobs.length < MOST_JOBS; seed += 1) {
    const job = await runJob(kind, taskCount, seed);
    jobs.push(job);
    spent += job.seconds;
  }
  jobs.sort((a, b) => a.seconds - b.seconds);
  return jobs[Math.floor(jobs.length / 2)] ?? first;
}

async function runJob(kind: Kind, taskCount: number, seed: number): Promise<Job> {
  const { tasks, costs } = scriptedJob(kind, taskCount, seed);
  const options: SchedulerOptions = {
    tasks,
    families: kind.families ? groupFamilies(tasks, "op") : null,
    scoreAll: kind.asked ? scoreAllBy(weightedSum(tasks)) : null,
    trials: taskCount * ROUNDS_PER_TASK * TRIALS_PER_ROUND,
    trialsPerRound: TRIALS_PER_ROUND,
    draw: seededDraw(seed),
  };
  const heapBefore = heap();
  const begun = performance.now();
  const scheduler: Decider = kind.fast ? fastScheduler(options) : new Scheduler(options);
  const rounds = tasks.map(() => 0);
  let decisions = 0;
  for (let action = await scheduler.next(); action.type === "search"; action = await scheduler.next()) {
    const { task, programs } = action;
    decisions += 1;
    await scheduler.likelyNext();
    const round = rounds[task] ?? 0;
    rounds[task] = round + 1;
    const cost = costs(task, round);
    const measured = Array.from({ length: programs }, () => ({ cost, origin: "descent" as const }));
    await scheduler.observe(measured, { seconds: programs, accuracy: 0.8 });
  }
  const seconds = (performance.now() - begun) / 1000;
  // What the scheduler still holds at its end.
  const megabytes = (heap() - heapBefore) / 1e6;
  if (scheduler.trials < options.trials) {
    throw new Error(`The job ended after ${scheduler.trials} of ${options.trials} trials.`);
  }
  return { taskCount, decisions, seconds, megabytes };
}

function fastScheduler({ tasks, families, trials, trialsPerRound }: SchedulerOptions): FastScheduler {
  return new FastScheduler({
    tasks,
    families,
    objective: null,
    trials,
    trialsPerRound,
    foreseeTrials: trialsPerRound,
    population: 1,
    generations: 1,
    expectGains: async (_task, siblings) => siblings.map((id) => (id % 10) / 10),
  });
}

/** Ten core operations, four similarity tags, FLOPs over three orders of magnitude; costs that fall round by round. */
function scriptedJob(kind: Kind, taskCount: number, seed: number) {
  const draw = seededDraw(seed);
  const fraction = () => draw(2 ** 30) / 2 ** 30;
  const tasks: Task[] = Array.from({ length: taskCount }, (_, id) => ({
    description: `task ${id}`,
    workloadKey: `["${id}"]`,
    structure: `${id}`,
    tiledStage: `tiled stage ${id % 20}`,
    weight: 1 + draw(10),
    flops: Math.round(10 ** (6 + 3 * fraction())),
    coreOperation: `operation ${draw(10)}`,
    similarityTags: [`tag ${draw(4)}`],
  }));
  const curves = tasks.map(({ flops }) => ({
    best: (flops / 1e11) * (1 + fraction()),
    excess: 1 + 4 * fraction(),
    pace: 0.3 + 0.6 * fraction(),
  }));
  const costs = (task: number, round: number): number | null => {
    const curve = curves[task];
    const fails = kind.failing !== undefined && task % kind.failing === kind.failing - 1;
    return !curve || fails ? null : curve.best * (1 + curve.excess * curve.pace ** round);
  };
  return { tasks, costs };
}

/** Bytes in use after garbage collection, where Node was started with --expose-gc. */
function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}
