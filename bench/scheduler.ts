import { groupFamilies, Scheduler, type SchedulerOptions, type Task, weightedSum } from "../src/index.js";
import { scoreAllBy } from "../src/tuning/objective.js";
import { seededDraw } from "../src/tuning/random.js";

/**
 * What deciding costs as the tasks of a job become more: scripted jobs, whose programs are a table look-up, with
 * rounds in proportion to tasks. Each round is what `tune` does: next, likelyNext, observe.
 */
const TASK_COUNTS = [10, 100, 1000, 10_000];
const ROUNDS_PER_TASK = 5;
const TRIALS_PER_ROUND = 16;
/** Small jobs are run again until this much time was measured. */
const LEAST_SECONDS = 0.5;

interface Kind {
  readonly name: string;
  readonly families: boolean;
  /** The objective as a function that can only be asked. */
  readonly asked?: boolean;
  /** One task in so many has no program that runs; its cost of 1e10 s stays in the sum. */
  readonly failing?: number;
  readonly mostTasks: number;
}

const KINDS: readonly Kind[] = [
  { name: "weighted sum, no families", families: false, mostTasks: 10_000 },
  { name: "weighted sum, families and foresee rounds", families: true, mostTasks: 10_000 },
  { name: "weighted sum, families, 1 task in 100 never runs", families: true, failing: 100, mostTasks: 1000 },
  { name: "objective of the user's, families", families: true, asked: true, mostTasks: 1000 },
];

for (const kind of KINDS) {
  console.log(`\n${kind.name}`);
  console.log("tasks  decisions  seconds  decisions/s  heap (MB)  time / (n log n), relative to the size before");
  let before: number | null = null;
  for (const taskCount of TASK_COUNTS.filter((count) => count <= kind.mostTasks)) {
    const { decisions, seconds, megabytes } = await measure(kind, taskCount);
    const perWork = seconds / (taskCount * Math.log(taskCount));
    const growth = before === null ? "-" : (perWork / before).toFixed(2);
    before = perWork;
    const figures = [taskCount, decisions, seconds.toFixed(4), Math.round(decisions / seconds), megabytes.toFixed(2)];
    console.log([...figures, growth].join("  "));
  }
}

/** The median job of several; the heap is what one scheduler holds at its job's end. */
async function measure(kind: Kind, taskCount: number) {
  await runJob(kind, taskCount, 0);
  const runs: { decisions: number; seconds: number; megabytes: number }[] = [];
  for (let seed = 1, spent = 0; runs.length < 3 || spent < LEAST_SECONDS; seed += 1) {
    const run = await runJob(kind, taskCount, seed);
    runs.push(run);
    spent += run.seconds;
  }
  runs.sort((a, b) => a.seconds - b.seconds);
  return runs[Math.floor(runs.length / 2)] ?? { decisions: 0, seconds: Number.NaN, megabytes: Number.NaN };
}

async function runJob(kind: Kind, taskCount: number, seed: number) {
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
  const scheduler = new Scheduler(options);
  const rounds = tasks.map(() => 0);
  let decisions = 0;
  for (let action = await scheduler.next(); action.type === "search"; action = await scheduler.next()) {
    const { task, programs } = action;
    decisions += 1;
    await scheduler.likelyNext();
    const round = rounds[task] ?? 0;
    rounds[task] = round + 1;
    await scheduler.observe(Array.from<number | null>({ length: programs }).fill(costs(task, round)));
  }
  const seconds = (performance.now() - begun) / 1000;
  const megabytes = (heap() - heapBefore) / 1e6;
  if (scheduler.trials < options.trials) {
    throw new Error(`The job ended after ${scheduler.trials} of ${options.trials} trials.`);
  }
  return { decisions, seconds, megabytes };
}

/** Ten core operations, four similarity tags, FLOPs over three orders of magnitude; costs that fall round by round. */
function scriptedJob(kind: Kind, taskCount: number, seed: number) {
  const draw = seededDraw(seed);
  const fraction = () => draw(2 ** 30) / 2 ** 30;
  const tasks: Task[] = Array.from({ length: taskCount }, (_, id) => ({
    description: `task ${id}`,
    workloadKey: `["${id}"]`,
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

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}
