import assert from "node:assert/strict";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidRequestError } from "../../../src/errors.js";
import { firstAtOrBelow, sumOfCosts, thinned } from "../../../src/report/curves.js";
import { type KeptDecision, NotableDecisions } from "../../../src/report/decisions.js";
import { readReport } from "../../../src/report/page.js";
import type { Point } from "../../../src/report/page-data.js";
import { WorkTime } from "../../../src/report/work-time.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import {
  finishedLine,
  recordLine,
  roundLine,
  startedLine,
  writeJournal,
  writeLog,
} from "../../helpers/written-logs.js";

describe("a curve of several tasks", () => {
  it("begins when each has a cost, and weighs them", () => {
    const curve = sumOfCosts([
      {
        weight: 1,
        improvements: [
          [1, 1, 5],
          [4, 4, 3],
        ],
      },
      { weight: 2, improvements: [[2, 2, 1]] },
    ]);
    assert.deepEqual(curve, [
      [2, 2, 7],
      [4, 4, 5],
    ]);
    assert.deepEqual(firstAtOrBelow(curve, 6), [4, 4, 5]);
    assert.equal(firstAtOrBelow(curve, 4), null);
  });

  it("is empty where one never ran", () => {
    assert.deepEqual(
      sumOfCosts([
        { weight: 1, improvements: [[1, 1, 5]] },
        { weight: 1, improvements: [] },
      ]),
      [],
    );
  });
});

describe("a long curve", () => {
  it("keeps points of its own, evenly over its fall, and both ends", () => {
    const curve = Array.from({ length: 100_000 }, (_, index): Point => [index, index, 1 / (1 + index)]);
    const thin = thinned(curve, 500);
    assert.ok(thin.length > 100 && thin.length <= 501, `${thin.length}`);
    assert.deepEqual([thin[0], thin.at(-1)], [curve[0], curve.at(-1)]);
    assert.ok(thin.every((point) => curve[point[0]] === point));
    const factor = 100_000 ** (1 / 500);
    for (const [seconds, , latency] of curve) {
      const shown = thin.findLast((point) => point[0] <= seconds)?.[2] ?? 0;
      assert.ok(shown >= latency && shown < latency * factor * (1 + 1e-9));
    }
  });

  it("of few points stays as it is", () => {
    const curve: Point[] = [
      [1, 1, 3],
      [2, 2, 2.999],
    ];
    assert.deepEqual(thinned(curve, 500), curve);
  });
});

function decision(round: number, before: number, after: number): KeptDecision {
  return { round, before, after } as KeptDecision;
}

describe("the decisions of a long tuning", () => {
  it("are the first, the last and between them those that improved most", () => {
    const decisions = new NotableDecisions();
    for (let round = 0; round < 200_000; round += 1) {
      decisions.add(decision(round, 1, round % 50 === 0 ? 1 - round / 400_000 : 1));
    }
    const kept = decisions.kept.map(({ round }) => round);
    assert.equal(decisions.count, 200_000);
    assert.ok(kept.length >= 3000 && kept.length <= 5000, `${kept.length}`);
    assert.deepEqual(
      kept,
      [...kept].sort((a, b) => a - b),
    );
    assert.deepEqual(kept.slice(0, 1000), [...Array(1000).keys()]);
    assert.ok(kept.includes(199_001) && kept.includes(199_999));
    const between = kept.filter((round) => round >= 1000 && round < 198_000);
    assert.ok(between.length >= 1000 && between.every((round) => round % 50 === 0));
    assert.ok(Math.min(...between) > 50_000, "those that improved least are left out");
  });

  it("are all there of a tuning of some thousand rounds", () => {
    const decisions = new NotableDecisions();
    for (let round = 0; round < 3000; round += 1) {
      decisions.add(decision(round, 1, 1));
    }
    assert.equal(decisions.kept.length, 3000);
  });
});

describe("the time of tuning", () => {
  it("leaves out what lies between jobs, and counts what came before the journal", () => {
    const time = new WorkTime([
      { start: 1000, end: 1010 },
      { start: 5000, end: 5020 },
    ]);
    assert.deepEqual(
      [500, 503, 1004, 5001].map((moment) => time.at(moment)),
      [0, 3, 7, 14],
    );
    assert.equal(time.total, 33);
  });
});

describe("a report", () => {
  let folder: string;
  let log: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    log = join(folder, "ours.log");
  });

  const records = [
    { key: "a", cost: 0.004, at: 2 },
    { key: "b", cost: 0.001, at: 4 },
    { key: "a", cost: null, at: 5 },
    { key: "a", cost: 0.002, at: 6 },
  ];
  const tasks = [
    { key: "a", words: "dense 1x8", family: "nn.dense", weight: 2 },
    { key: "b", words: "softmax 8", family: "nn.softmax" },
  ];

  it("shows decisions and phases from the journal, and the latency of the network", async () => {
    await writeLog(log, records);
    await writeJournal(log, [
      startedLine(tasks),
      roundLine({ index: 0, task: 0, at: 5, before: null, after: 0.004 }),
      finishedLine(10),
    ]);
    const { runs, selections, notices } = await readReport([log]);
    assert.deepEqual(notices, []);
    assert.deepEqual(selections[0]?.curves, [
      [
        [4, 2, 0.009],
        [6, 4, 0.005],
      ],
    ]);
    assert.deepEqual(
      selections.map(({ label }) => label),
      ["all 2 tasks", "nn.dense", "nn.softmax", "0: dense 1x8", "1: softmax 8"],
    );
    const [run] = runs;
    assert.deepEqual([run?.trials, run?.failures, run?.seconds, run?.ended], [4, 1, 10, "the trials are spent"]);
    assert.deepEqual(run?.decisions?.[0]?.phases, { search: 1, build: 1, run: 2, learn: 0.5 });
    assert.equal(run?.decisions?.[0]?.reason, "warm-up");
  });

  it("has the network's own numbers of the tasks, where a job tuned only some", async () => {
    await writeLog(log, records);
    const numbers = [3, 7];
    const reason = { type: "foresee", family: "all", after: 3, among: 1, drawn: false, gradient: -1 };
    await writeJournal(log, [
      startedLine(tasks.map((task, place) => ({ ...task, id: numbers[place] ?? 0 }))),
      roundLine({ index: 0, task: 7, at: 5, before: null, after: 0.001, reason }),
    ]);
    const { runs, selections, tasks: shown } = await readReport([log]);
    const titles = ["3: dense 1x8", "7: softmax 8"];
    assert.deepEqual(
      shown.map(({ title }) => title),
      titles,
    );
    assert.deepEqual(
      selections.slice(-2).map(({ label }) => label),
      titles,
    );
    const [decision] = runs[0]?.decisions ?? [];
    assert.deepEqual([decision?.id, decision?.task], [7, 1]);
    assert.match(decision?.reason ?? "", /after task 3/);
  });

  it("of a log without a journal has the names and weights of one with it, and no decisions", async () => {
    await writeLog(log, records);
    await writeJournal(log, [startedLine(tasks)]);
    const plain = join(folder, "tvm.log");
    await writeLog(plain, records);
    const { runs, selections, notices } = await readReport([plain, log]);
    assert.equal(runs[0]?.decisions, null);
    assert.deepEqual(selections[0]?.reached, [
      [4, 4, 0.005],
      [6, 4, 0.005],
    ]);
    assert.deepEqual(notices, [
      "tvm.log has no journal beside it: no decisions are known, and its time starts at its first record.",
    ]);
  });

  it("of a log alone without a journal says that weights are not known", async () => {
    await writeLog(log, records);
    const { notices, selections } = await readReport([log]);
    assert.match(notices.join("\n"), /not known for ours\.log: every such task counts once/);
    assert.equal(selections[0]?.curves[0]?.at(-1)?.[2], 0.003);
  });

  it("says by which tuner each log is: Ansor where a journal of before there were two does not say", async () => {
    const logs = await Promise.all(
      [undefined, "ansor", "metaschedule"].map(async (tuner, index) => {
        const log = join(await temporaryFolder(), `${index}.log`);
        await writeLog(log, [{ key: "a", cost: 0.001, at: 1 }]);
        await writeJournal(log, [startedLine([{ key: "a" }], 0, "llvm", tuner)]);
        return log;
      }),
    );
    const { runs } = await readReport(logs);
    assert.deepEqual(
      runs.map(({ settings: [first] }) => first),
      [
        ["tuner", "Ansor"],
        ["tuner", "Ansor"],
        ["tuner", "MetaSchedule"],
      ],
    );
  });

  it("shows each target of a log as a run, and says so", async () => {
    await writeLog(log, [...records, { key: "a", cost: 0.001, at: 9, target: "cuda" }]);
    const { runs, notices } = await readReport([log]);
    assert.deepEqual(
      runs.map(({ name }) => name),
      ["ours.log, llvm", "ours.log, cuda"],
    );
    assert.match(notices.join("\n"), /2 targets: llvm; cuda/);
    assert.match(notices.join("\n"), /1 of 2 tasks are left out of the sums.*ran in every log: b/);
  });

  it("leaves out a torn last line, says so, and tells logs of one name apart by their folders", async () => {
    await writeLog(log, records);
    await appendFile(log, recordLine({ key: "a", cost: 1, at: 9 }).slice(0, 30));
    const { runs, notices } = await readReport([log, `${folder}/./ours.log`]);
    assert.equal(runs[0]?.trials, 4);
    assert.match(notices.join("\n"), /1 line of .*ours\.log skipped: 1 that are no records \(line 5\)/);
    assert.notEqual(runs[0]?.name, runs[1]?.name);
  });

  it("refuses a log that is not there, is empty or is of another format", async () => {
    const refused = async (what: RegExp) => {
      await assert.rejects(
        readReport([log]),
        (error) => error instanceof InvalidRequestError && what.test(error.message),
      );
    };
    await refused(/cannot be read \(ENOENT\)/);
    await writeFile(log, "");
    await refused(/holds no record/);
    await writeFile(log, "time,latency\n1,2\n");
    await refused(/Line 1 of .* is not a record/);
  });
});
