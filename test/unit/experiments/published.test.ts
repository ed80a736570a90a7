import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { comparePublished, meanRatio, type PublishedComparison } from "../../../src/experiments/published.js";
import { PUBLISHED_RUNS, type PublishedRun, readPublishedRuns } from "../../../src/experiments/published-runs.js";
import { bestSoFar, endOf, secondsTo, within } from "../../../src/experiments/time-to-latency.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

/** The table in the README that came with the published runs: within 5, 1, 0 % on the V100, then on the Silver 4210. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  resnet50_v1: ["0.98", "-", "-", "1.03", "1.15", "2.64"],
  "mobilenet0.5": ["2.41", "-", "-", "3.28", "2.77", "4.34"],
  "mobilenetv2_0.5": ["1.42", "1.46", "2.74", "1.10", "2.26", "2.23"],
  vit_huge: ["1.33", "-", "-", "0.92", "1.04", "1.66"],
  bert_large: ["1.07", "1.47", "-", "1.19", "3.07", "2.39"],
  gpt2: ["1.50", "3.09", "-", "1.31", "1.74", "4.15"],
};

function experiment(...args: string[]) {
  return execa("node", ["scripts/familyseer.js", "experiment", ...args], { reject: false, all: true });
}

describe("the published runs", () => {
  let runs: PublishedRun[];
  let comparisons: PublishedComparison[];
  before(async () => {
    runs = await readPublishedRuns();
    comparisons = comparePublished(runs);
  });
  const on = (device: string) => comparisons.filter((comparison) => comparison.device === device);
  const mean = (device: string, count: "equalPrograms" | "equalTrials") =>
    meanRatio(on(device).map((comparison) => comparison[count])).toFixed(3);
  const published = (network: string, device: string, method: string) => {
    const run = runs.find((run) => run.network === network && run.device === device && run.method === method);
    assert.ok(run);
    return run;
  };

  it("give the published table of speed-ups to its two decimals", () => {
    assert.equal(runs.length, 24);
    for (const [network, expected] of Object.entries(TABLE)) {
      const ratios = ["v100", "silver4210"].flatMap((device) => {
        const comparison = on(device).find((each) => each.network === network);
        return ["within 5 %", "within 1 %", "within 0 %"].map((goal) => comparison?.speedUps[goal]);
      });
      assert.deepEqual(
        ratios.map((ratio) => ratio?.toFixed(2) ?? "-"),
        expected,
        network,
      );
    }
  });

  // The README says 1.00 on the CPU and 0.99 on the GPU at equal programs measured; that is what equal trials as logged
  // give. By programs measured the two differ less still.
  it("give equal estimates at equal budgets, within a hundredth of the published means", () => {
    assert.deepEqual([mean("silver4210", "equalTrials"), mean("v100", "equalTrials")], ["1.004", "0.988"]);
    assert.deepEqual([mean("silver4210", "equalPrograms"), mean("v100", "equalPrograms")], ["1.006", "0.996"]);
  });

  it("count the programs of foresee rounds, which some logs count fourfold", () => {
    const last = published("bert_large", "v100", "familyseer").rounds.at(-1);
    assert.deepEqual([last?.trials, last?.programs], [10816, 7120]);
    const comparison = on("v100").find(({ network }) => network === "bert_large");
    assert.deepEqual([comparison?.equalPrograms.budget, comparison?.equalTrials.budget], [7120, 10752]);
  });

  // docs/results/paper.md: "never" is only as good as the curve, which may stop before the tuning.
  it("never get to 1 % for vit_huge on the V100 by a curve that stops early, though the final timing does", () => {
    const [ansor, familyseer] = ["ansor", "familyseer"].map((method) => published("vit_huge", "v100", method));
    assert.ok(ansor && familyseer);
    const goal = within(bestSoFar(ansor.curve), 1);
    assert.equal(secondsTo(familyseer.curve, goal), null);
    assert.ok((familyseer.curve.at(-1)?.[0] ?? 0) < familyseer.seconds / 2);
    assert.ok(familyseer.finalMs <= goal && familyseer.finalMs > endOf(bestSoFar(ansor.curve)));
  });

  it("are refused when one is torn, wrong, misnamed, alone or missing, with what was expected", async () => {
    const folder = await temporaryFolder();
    const name = "gpt2-v100-ansor.json";
    const text = await readFile(join(PUBLISHED_RUNS, name), "utf8");
    const cases: [string, string, RegExp][] = [
      [name, text.slice(0, 100), /cannot be read as JSON .*Expected a published run/],
      [name, text.replace('"trials":64,', '"trials":-64,'), /is not a published run:[\s\S]*rounds\[1\]\.trials/],
      [name, text.replace("[1844,405.59]", "[1844,405.59],[1,405.59]"), /never go back/],
      ["gpt2.json", text, /holds gpt2 on v100 by ansor\. Expected it to be named so/],
    ];
    await assert.rejects(readPublishedRuns(folder), /There are no published runs in/);
    for (const [file, content, message] of cases) {
      await writeFile(join(folder, file), content);
      await assert.rejects(readPublishedRuns(folder), message);
      await rm(join(folder, file));
    }
    await writeFile(join(folder, name), text);
    const alone = await readPublishedRuns(folder);
    assert.throws(() => comparePublished(alone), /no run of FamilySeer for gpt2 on v100/);
  });

  it("are shown by `familyseer experiment published`, as tables, as JSON, and drawn", async () => {
    const out = await temporaryFolder();
    const { stdout } = await experiment("published", "--out", out);
    assert.match(
      stdout,
      /NVIDIA V100[\s\S]*\ngpt2 +1\.50 +3\.09 +- [\s\S]*Xeon Silver 4210[\s\S]*\ngpt2 +1\.31 +1\.74 +4\.15 /,
    );
    const data = JSON.parse((await experiment("published", "--json", "--out", out)).stdout);
    assert.equal(data.length, 12);
    assert.equal(data[0].speedUps["within 0 %"], comparisons[0]?.speedUps["within 0 %"]);
    const written = await readdir(join(out, "published"));
    assert.deepEqual(
      written.filter((name) => /\.(svg|png)$/.test(name)),
      ["latency-silver4210.png", "latency-silver4210.svg", "latency-v100.png", "latency-v100.svg"],
    );
  });

  it("are in the list of experiments, which an unknown name is told", async () => {
    assert.match((await experiment()).stdout, /published +the paper's own runs[\s\S]*search-time/);
    const unknown = await experiment("publishd");
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.all, /Unknown experiment: publishd\. .*Expected one of all, published, search-time/);
  });
});
