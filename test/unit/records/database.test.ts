import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppendOnlyFile } from "../../../src/records/append-only-file.js";
import { bestRecords } from "../../../src/records/best.js";
import { namesEntry } from "../../../src/records/database.js";
import { checkAppendable, readLog } from "../../../src/records/log.js";
import { isDatabase, journalOf, logIn, namedAs, workloadsOf } from "../../../src/records/paths.js";
import { logAt, newLogAt, newLogOf, requireLogOf, tunerOf } from "../../../src/records/place.js";
import { describeSkipped, SkippedLines } from "../../../src/records/skipped.js";
import { describeWorkload } from "../../../src/records/workload.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const CPU = { keys: ["cpu"], kind: "llvm", "num-cores": 2, tag: "" };
const ANSORS = '{"i":[["a","llvm",[]],[[],[]]],"r":[[0.1],0,0.1,1],"v":"v0.6"}';

function record(workload: number, seconds: readonly number[], target: unknown = CPU): string {
  const args = [["TENSOR", "float32", [1, 64]]];
  return JSON.stringify([workload, [[[["GetSBlock", [], ["c", "main"], ["b0"]]], []], seconds, target, args]]);
}

function at(seconds: number): string {
  return new Date(1000 * (1e9 + seconds)).toISOString();
}

describe("a database's records", () => {
  let folder: string;
  let log: string;
  const write = async (records: readonly string[], workloads: readonly string[] = WORKLOADS) => {
    await writeFile(log, records.map((line) => `${line}\n`).join(""));
    await writeFile(workloadsOf(log), workloads.map((line) => `${line}\n`).join(""));
  };
  const WORKLOADS = ['["4328089659445662024","AAAA"]', '["9292046414146060788","BBBB"]'];
  const KEYS = ['["4328089659445662024", [1, 64]]', '["9292046414146060788", [1, 64]]'];
  beforeEach(async () => {
    folder = await temporaryFolder();
    log = logIn(folder);
  });

  it("give the mean time of a program and none for a failed one, by the workloads that they name", async () => {
    await write([record(1, [0.1, 0.3]), record(0, [1e10]), record(1, [0.1])]);
    const records = await readLog(folder);
    assert.deepEqual(
      records.map(({ workloadKey, cost, target }) => [workloadKey, cost, target]),
      [
        [KEYS[1], 0.2, "llvm -num-cores=2"],
        [KEYS[0], null, "llvm -num-cores=2"],
        [KEYS[1], 0.1, "llvm -num-cores=2"],
      ],
    );
    assert.deepEqual(
      (await bestRecords(await readLog(log))).map(({ cost, trials, failures }) => [cost, trials, failures]),
      [
        [0.1, 2, 0],
        [null, 1, 1],
      ],
    );
    assert.equal(describeWorkload(records[0]?.workloadKey ?? ""), "computation 92920464 of 1x64");
  });

  it("skip what is no record that can be used, and say how many lines and which", async () => {
    const lines = [
      record(0, [0.1]),
      record(0, [0.1]).slice(0, 20),
      "{}",
      record(0, [-1]),
      record(0, [0.1, 1e10]),
      record(0, []),
      record(2, [0.1]),
      record(1, [0.2], { kind: "cuda", arch: "sm_90", host: CPU }),
    ];
    await write(lines);
    const skipped = new SkippedLines();
    const records = await readLog(log, skipped);
    assert.deepEqual(
      records.map(({ target }) => target),
      ["llvm -num-cores=2", "cuda -arch=sm_90"],
    );
    assert.deepEqual(describeSkipped("db", skipped.all), [
      "6 lines of db skipped: 3 that are no records (line 2, 3, 6); 2 with a time that cannot be (line 4, 5); " +
        "1 of workloads that are missing (line 7)",
    ]);
  });

  it("are read past a last line that was cut, and a workload's that was, which going on drops", async () => {
    await write([record(0, [0.1])]);
    await writeFile(log, `${record(0, [0.1])}\n${record(0, [0.2]).slice(0, -5)}`);
    await writeFile(workloadsOf(log), `${WORKLOADS[0]}\n${WORKLOADS[1]?.slice(0, -5)}`);
    assert.equal((await readLog(log)).length, 1);
    for (const [file, line] of [
      [log, record(1, [0.3])],
      [workloadsOf(log), WORKLOADS[1] ?? ""],
    ] as const) {
      const opened = await AppendOnlyFile.open(file);
      await opened.append([line]);
      await opened.close();
    }
    assert.equal(await readFile(log, "utf8"), `${record(0, [0.1])}\n${record(1, [0.3])}\n`);
    assert.equal(await readFile(workloadsOf(log), "utf8"), `${WORKLOADS.join("\n")}\n`);
    assert.deepEqual(
      (await readLog(log)).map(({ workloadKey }) => workloadKey),
      KEYS,
    );
  });

  it("have the tasks, the target and the times that the journal knows", async () => {
    const named = {
      lines: [],
      count: 2,
      numbers: [1, 0],
      target: JSON.stringify(Object.fromEntries(Object.entries(CPU).toReversed())),
    };
    const tasks = [0, 1].map((id) => ({ id, workloadKey: `task ${id}` }));
    const lines = [record(0, [0.1]), record(1, [0.2]), record(1, [0.3]), record(0, [0.4])];
    await write(lines);
    const before = Buffer.byteLength(`${lines[0]}\n`);
    const entries = [
      namesEntry(named, "llvm -mcpu=fast", tasks),
      JSON.stringify({ type: "round-started", time: at(0), logBytes: before }),
      JSON.stringify({ type: "measured", time: at(1), program: 0 }),
      JSON.stringify({ type: "measured", time: at(2), program: 1 }),
      // Of a record that a kill kept from the log, so that it was measured again.
      JSON.stringify({ type: "measured", time: at(3), program: 2 }),
      JSON.stringify({ type: "measured", time: at(9), program: 2 }),
    ];
    await writeFile(journalOf(log), entries.map((line) => `${line}\n`).join(""));
    assert.deepEqual(
      (await readLog(log)).map(({ workloadKey, target, timestamp }) => [workloadKey, target, timestamp]),
      [
        ["task 1", "llvm -mcpu=fast", null],
        ["task 0", "llvm -mcpu=fast", 1e9 + 1],
        ["task 0", "llvm -mcpu=fast", 1e9 + 2],
        ["task 1", "llvm -mcpu=fast", 1e9 + 9],
      ],
    );
  });

  it("are in a folder that may be named in place of their file", async () => {
    await write([record(0, [0.1])]);
    assert.equal(await logAt(folder), log);
    assert.equal(await logAt(log), log);
    assert.equal(await newLogAt(folder), log);
    assert.equal(await newLogAt(join(folder, "new")), null);
    assert.equal(await newLogAt(join(folder, "new/")), logIn(join(folder, "new")));
    assert.equal(newLogOf("metaschedule", join(folder, "new")), logIn(join(folder, "new")));
    assert.equal(newLogOf("metaschedule", log), log);
    assert.equal(newLogOf("ansor", join(folder, "new.log")), join(folder, "new.log"));
    assert.deepEqual([isDatabase(log), namedAs(log), tunerOf(log)], [true, folder, "metaschedule"]);
    await checkAppendable(log);
    await checkAppendable(logIn(join(folder, "new")));
    await assert.rejects(checkAppendable(logIn(join(folder, "neither", "nor"))), /there is no folder/);
  });

  it("are both files, of one tuner", async () => {
    await mkdir(join(folder, "empty"));
    await assert.rejects(
      logAt(join(folder, "empty")),
      /has no database_tuning_record.json and no database_workload.json/,
    );
    await writeFile(log, `${record(0, [0.1])}\n`);
    await assert.rejects(logAt(folder), /has no database_workload.json/);
    await assert.rejects(readLog(log), /database_workload.json cannot be read \(ENOENT\).*both files/);
    await write([ANSORS]);
    await assert.rejects(readLog(log), /not a record of MetaSchedule's database.* one of TVM's auto_scheduler/);
    const elsewhere = join(folder, "t.log");
    await writeFile(elsewhere, `${record(0, [0.1])}\n`);
    await assert.rejects(readLog(elsewhere), /not a record of TVM's auto_scheduler.*expected the folder/);
    assert.throws(() => requireLogOf("metaschedule", elsewhere), /MetaSchedule has them in a database/);
    assert.throws(() => requireLogOf("ansor", log), /is a folder, as databases of MetaSchedule's are\. Ansor has/);
    requireLogOf("metaschedule", log);
    requireLogOf("ansor", elsewhere);
  });
});
