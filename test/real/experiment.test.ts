import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Budget } from "../../src/experiments/budgets.js";
import { comparison } from "../../src/experiments/compare.js";
import { conduct } from "../../src/experiments/conduct.js";
import type { Experiment, Settings } from "../../src/experiments/experiment.js";
import { tuneRun } from "../../src/experiments/methods.js";
import { writeConclusion } from "../../src/experiments/output.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const SETTINGS: Settings = { scale: "small", device: "simulated", tuner: "ansor", networks: null, seeds: null };

const BUDGET: Budget = {
  model: "mobilenetv2_0.5",
  onlyTasks: [10, 14],
  trials: 12,
  trialsPerRound: 4,
  foreseeTrials: 2,
  population: 16,
  generations: 1,
};

const TINY: Experiment = {
  title: "Foresee rounds",
  description: "tiny",
  devices: ["simulated"],
  plan: async () => {
    const entries = (["without foresee", "FamilySeer"] as const).map((method) => ({
      method,
      network: BUDGET.model,
      seed: 0,
      run: tuneRun(method, BUDGET, 0, SETTINGS),
    }));
    return comparison("Foresee rounds", "without foresee", entries, SETTINGS);
  },
};

describe("an experiment", function () {
  this.timeout(120_000);

  it("tunes, compares and writes data, figures and a page, which says that a device is simulated", async () => {
    const folder = await temporaryFolder();
    const never = new AbortController().signal;
    const conclusion = await conduct(TINY, SETTINGS, join(folder, "runs"), never, () => undefined);
    assert.deepEqual(
      conclusion.rows.map(({ tuner }) => tuner),
      ["without foresee", "FamilySeer"],
    );
    assert.ok(conclusion.rows.every(({ programs }) => Number(programs) >= 12));
    await writeConclusion(join(folder, "out"), TINY.title, TINY.description, conclusion);
    const page = await readFile(join(folder, "out", "index.html"), "utf8");
    assert.match(page, /<svg[\s\S]*simulated GPU/);
    assert.doesNotMatch(page, /<script|src="http/);
    assert.match(await readFile(join(folder, "out", "data.csv"), "utf8"), /^network,seed,tuner,/);
    assert.equal(JSON.parse(await readFile(join(folder, "out", "data.json"), "utf8")).device, "simulated");
    const png = await readFile(join(folder, "out", "latency.png"));
    assert.equal(png.toString("latin1", 1, 4), "PNG");
    assert.ok((await stat(join(folder, "out", "latency.svg"))).size > 1000);
  });
});
