import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { CancelledError } from "../../../src/errors.js";
import type { Budget } from "../../../src/experiments/budgets.js";
import { conduct, duration, folderOf } from "../../../src/experiments/conduct.js";
import type { Experiment, Run, Settings } from "../../../src/experiments/experiment.js";
import { EXPERIMENTS } from "../../../src/experiments/experiments.js";
import { Latency, nameOf, tuned, tuneRun } from "../../../src/experiments/methods.js";
import { csv } from "../../../src/experiments/output.js";
import { tune } from "../../../src/job/tuner.js";
import { scriptedPython } from "../../helpers/scripted-tuning.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const SETTINGS: Settings = { scale: "small", device: "cpu", tuner: "ansor", networks: null, seeds: null };

/** An experiment of runs that give their own name's length. */
function experimentOf(names: readonly string[], perform: (name: string) => void = () => undefined): Experiment {
  const runs = names.map(
    (name): Run<number> => ({
      name,
      seconds: 100,
      identity: { name },
      result: z.number(),
      perform: async () => {
        perform(name);
        return name.length;
      },
    }),
  );
  return {
    title: "Lengths",
    description: "lengths of names",
    devices: [],
    plan: async () => ({
      runs,
      conclude: (results) => ({ data: runs.map((run) => results(run)), rows: [], text: "", figures: {} }),
    }),
  };
}

describe("an experiment", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  const never = new AbortController().signal;

  it("says beforehand how long it takes, goes on after it was ended, and does no run twice", async () => {
    const done: string[] = [];
    const said: string[] = [];
    const stop = new AbortController();
    const stopping = experimentOf(["one", "three", "five5"], (name) => {
      done.push(name);
      if (name === "three") {
        stop.abort();
      }
    });
    await assert.rejects(
      conduct(stopping, SETTINGS, folder, stop.signal, (line) => said.push(line)),
      CancelledError,
    );
    assert.match(said[0] ?? "", /Lengths: 3 to do, about 5 min/);
    const whole = experimentOf(["one", "three", "five5"], (name) => done.push(name));
    const { data } = await conduct(whole, SETTINGS, folder, never, (line) => said.push(line));
    assert.deepEqual(data, [3, 5, 5]);
    // The one in progress when it was ended is done anew.
    assert.deepEqual(done, ["one", "three", "three", "five5"]);
    assert.ok(said.some((line) => /1 runs are done; 2 to do, about 4 min/.test(line)));
  });

  it("does equal runs once, and tells runs apart by all that their result depends on", async () => {
    const done: string[] = [];
    await conduct(
      experimentOf(["one", "one"], (name) => done.push(name)),
      SETTINGS,
      folder,
      never,
      () => undefined,
    );
    assert.deepEqual(done, ["one"]);
    const budget: Budget = { model: "mlp", trials: 8 };
    const folders = [
      tuneRun("Ansor", budget, 0, SETTINGS),
      tuneRun("Ansor", budget, 1, SETTINGS),
      tuneRun("Ansor", { ...budget, trials: 9 }, 0, SETTINGS),
      tuneRun("Ansor", budget, 0, { ...SETTINGS, device: "simulated" }),
    ].map(folderOf);
    assert.equal(new Set(folders).size, 4);
  });

  it("gives every one of the paper a plan at every scale and device, each with an estimate", async () => {
    for (const [name, experiment] of Object.entries(EXPERIMENTS)) {
      for (const scale of ["small", "paper"] as const) {
        for (const device of experiment.devices) {
          const { runs } = await experiment.plan({ ...SETTINGS, scale, device });
          assert.ok(runs.length > 0 && runs.every(({ seconds }) => seconds > 0), `${name}, ${scale}, ${device}`);
        }
      }
    }
  });

  it("with MetaSchedule compares MetaSchedule's own way, in runs of its own, where it can", async () => {
    const settings = { ...SETTINGS, tuner: "metaschedule" } as const;
    const able = Object.entries(EXPERIMENTS).filter(([, { withMetaSchedule }]) => withMetaSchedule);
    assert.deepEqual(
      able.map(([name]) => name),
      ["search-time", "final-latency", "family-algorithms", "foresee"],
    );
    for (const [name, experiment] of able) {
      const ours = (await experiment.plan(settings)).runs;
      const ansors = new Set((await experiment.plan(SETTINGS)).runs.map(folderOf));
      assert.ok(ours.length > 0 && ours.every((run) => !ansors.has(folderOf(run))), name);
      assert.ok(
        ours.every((run) => !JSON.stringify([run.name, run.identity]).includes("sketch")),
        name,
      );
      assert.ok(
        ours.every((run) => !run.name.includes("Ansor")),
        name,
      );
    }
    assert.equal(nameOf("Ansor", settings), "MetaSchedule");
  });

  it("keeps the runs of Ansor of before there was another tuner", () => {
    const { name, identity } = tuneRun("without foresee", { model: "mlp", trials: 8 }, 0, SETTINGS);
    assert.equal(name, "mlp, without foresee, seed 0, cpu");
    assert.equal(
      JSON.stringify(identity),
      '{"model":"mlp","trials":8,"mode":"reference","searchPolicy":"sketch.xgb.family_op","foreseeTrials":0,"target":"native","seed":0,"device":"cpu"}',
    );
  });

  it("that is of Ansor alone is refused with MetaSchedule in a line, as the simulated GPU is", async () => {
    for (const [args, words] of [
      [["training"], /experiment training is not of MetaSchedule\. Expected one of search-time, /],
      [["published"], /experiment published is not of MetaSchedule/],
      [["foresee", "--device", "simulated"], /simulated GPU runs programs of Ansor alone/],
    ] as const) {
      const command = ["scripts/familyseer.js", "experiment", ...args, "--tuner", "metaschedule"];
      const { exitCode, stderr } = await execa("node", command, { reject: false });
      assert.equal(exitCode, 2);
      assert.match(stderr, words);
      assert.equal(stderr.split("\n").length, 1, stderr);
    }
  });

  it("takes less than an hour for all of them at the small scale", async () => {
    const plans = await Promise.all(Object.values(EXPERIMENTS).map((experiment) => experiment.plan(SETTINGS)));
    const runs = new Map(plans.flatMap((plan) => plan.runs.map((run) => [folderOf(run), run.seconds])));
    assert.ok([...runs.values()].reduce((sum, seconds) => sum + seconds, 0) < 3600);
  });
});

describe("an experiment's parts", () => {
  it("follow the latency of some of a network's tasks by their weights", async () => {
    const folder = await temporaryFolder();
    const tvmPython = await scriptedPython(folder);
    const log = join(folder, "t.log");
    const only = { model: "scripted", onlyTasks: [1, 3], trials: 16, log, tvmPython };
    let last: readonly (number | null)[] = [];
    let weights: readonly number[] = [];
    for await (const event of tune(only)) {
      weights = event.type === "started" ? event.tasks.map(({ weight }) => weight) : weights;
      last = event.type === "finished" ? event.bestCosts : last;
    }
    const expected = weights.reduce((ms, weight, place) => ms + 1000 * weight * (last[place] ?? 0), 0);
    const { points } = await tuned({ ...only, log: join(folder, "other.log") });
    assert.ok(
      expected > 0 && Math.abs((points.at(-1)?.[2] ?? 0) - expected) < 1e-9 * expected,
      `${JSON.stringify(points)} ${expected}`,
    );
  }).timeout(30_000);

  it("follow the latency from when every task has a program, and count failed ones", () => {
    const latency = new Latency(
      new Map([
        [0, 2],
        [1, 1],
      ]),
    );
    latency.observe(0, 0.003, 1);
    latency.observe(0, null, 2);
    latency.observe(1, 0.004, 3);
    latency.observe(1, 0.005, 4);
    latency.observe(0, 0.001, 5);
    assert.deepEqual(latency.points, [
      [3, 3, 10],
      [5, 5, 6],
    ]);
  });

  it("write CSV that quotes what has commas or quotes, and leaves missing values empty", () => {
    assert.equal(csv([{ a: 'x, "y"', b: null, c: 1.5 }]), 'a,b,c\n"x, ""y""",,1.5\n');
  });

  it("say times in the unit that fits", () => {
    assert.deepEqual([20.2, 600, 7200].map(duration), ["21 s", "10 min", "2.0 h"]);
  });
});
