import { parseArgs } from "node:util";
import { median } from "simple-statistics";
import { groupFamilies } from "../src/core/families.js";
import { FastScheduler } from "../src/core/fast/fast-scheduler.js";
import { roundSizes } from "../src/core/fast/round-size.js";
import { seededDraw } from "../src/core/random.js";
import { NOTHING_BEGUN } from "../src/job/resume.js";
import { RoundRunner, type RoundsOfJob } from "../src/job/round-runner.js";
import { type Seconds, StandInClock, StandInWorker } from "./stand-in-machine.js";

/**
 * How long devices wait, by the size of rounds, on machines that are not there: the real rounds and the real scheduler of the
 * fast mode, with searches, builds and devices that take given seconds on a clock of their own. With `--cpu` all cores time a
 * program, and meanwhile nothing is built or searched.
 */
const { values } = parseArgs({
  options: {
    cores: { type: "string", default: "2,4,8,16,32,64" },
    devices: { type: "string", default: "1,2,4,8" },
    sizes: { type: "string", default: "8,16,32,64" },
    tasks: { type: "string", default: "12" },
    trials: { type: "string", default: "768" },
    seeds: { type: "string", default: "3" },
    build: { type: "string", default: "5" },
    spread: { type: "string", default: "0.5" },
    run: { type: "string", default: "0.4" },
    search: { type: "string", default: "4" },
    learn: { type: "string", default: "0.5" },
    cpu: { type: "boolean", default: false },
  },
});
const numbers = (text: string) => text.split(",").map(Number);
const SECONDS: Seconds = {
  build: Number(values.build),
  buildSpread: Number(values.spread),
  buildLimit: 15,
  run: Number(values.run),
  search: Number(values.search),
  sample: Number(values.search) / 4,
  learn: Number(values.learn),
};
const OPERATIONS = ["nn.conv2d", "nn.conv2d", "nn.conv2d", "nn.dense", "nn.dense", "nn.batch_matmul"];

interface Outcome {
  readonly idle: number;
  readonly perSecond: number;
}

async function job(builders: number, devices: number, size: number, seed: number): Promise<Outcome> {
  const clock = new StandInClock();
  const worker = new StandInWorker(clock, { builders, devices, exclusive: values.cpu }, SECONDS, seededDraw(seed));
  const tasks = Array.from({ length: Number(values.tasks) }, (_, task) => ({
    description: `task ${task}`,
    workloadKey: `["${task}"]`,
    structure: `${task % 6}`,
    weight: 1 + (task % 3),
    flops: 1e8 * (1 + (task % 5)),
    coreOperation: OPERATIONS[task % 6] ?? null,
    similarityTags: [],
  }));
  const draw = seededDraw(seed + 1000);
  const scheduler = new FastScheduler({
    tasks,
    families: groupFamilies(tasks, "op"),
    objective: null,
    trials: Number(values.trials),
    trialsPerRound: size,
    foreseeTrials: Math.floor(size / 2),
    firstLook: Math.max(16, size),
    population: 2048,
    generations: 4,
    leastGain: null,
    expectGains: async (_task, siblings) => siblings.map(() => draw(100) / 1500),
  });
  const file = { append: async () => undefined };
  const rounds = new RoundRunner({
    options: { overlap: !values.cpu, trainDevice: "cpu", target: "cuda", buildTimeout: 15, runTimeout: 10 },
    workers: { all: [worker], of: () => worker, numberOf: () => 0 },
    decider: scheduler,
    log: file,
    journal: file,
    emit: () => undefined,
    stopping: new AbortController().signal,
  } as unknown as RoundsOfJob);
  const work = async () => {
    for (let action = await scheduler.next(); action.type === "search"; action = await scheduler.next()) {
      const begun = clock.now;
      const { measured, accuracy } = await rounds.run(action, NOTHING_BEGUN);
      await scheduler.observe(measured, { seconds: clock.now - begun, accuracy });
    }
  };
  await clock.until(work());
  return {
    idle: 1 - worker.engine.busySeconds / (devices * clock.now),
    perSecond: scheduler.trials / clock.now,
  };
}

/** Medians over the seeds: programs a second, and the share of the devices' time in which they waited. */
async function figures(cores: number, devices: number, size: number): Promise<string> {
  const outcomes: Outcome[] = [];
  for (let seed = 0; seed < Number(values.seeds); seed += 1) {
    outcomes.push(await job(cores, devices, size, seed));
  }
  const perSecond = median(outcomes.map((each) => each.perSecond));
  const idle = median(outcomes.map((each) => each.idle));
  return `${perSecond.toFixed(2)}, ${Math.round(100 * idle)} %`;
}

/** Programs a second if nothing ever waited but for builders and devices. */
function bound(cores: number, devices: number): string {
  const { build, buildSpread, run } = SECONDS;
  // The mean of what is spread so.
  const [built, timed] = [(build * Math.exp(buildSpread ** 2 / 2)) / cores, run / devices];
  return (1 / (values.cpu ? built + timed : Math.max(built, timed))).toFixed(2);
}

const sizes = numbers(values.sizes);
const heads = ["cores", "devices", "never waiting", ...sizes.map((size) => `rounds of ${size}`), "by the rule"];
console.log(`| ${heads.join(" | ")} |\n|${heads.map(() => "---").join("|")}|`);
for (const cores of numbers(values.cores)) {
  for (const devices of numbers(values.devices)) {
    const cells: string[] = [];
    for (const size of sizes) {
      cells.push(await figures(cores, devices, size));
    }
    const rule = roundSizes({ builders: cores, devices }).trialsPerRound;
    const ofRule = `${rule}: ${await figures(cores, devices, rule)}`;
    console.log(`| ${[cores, devices, bound(cores, devices), ...cells, ofRule].join(" | ")} |`);
  }
}
