import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bestRecords } from "../../src/records/best.js";
import { AppendOnlyFile, checkAppendable, readLog } from "../../src/records/log.js";

function record(key: string, costs: number[], error = 0): string {
  return JSON.stringify({
    i: [
      [key, "llvm", []],
      [[], []],
    ],
    r: [costs, error, 0.1, 1],
    v: "v0.6",
  });
}

describe("log", () => {
  let file: string;
  beforeEach(async () => {
    file = join(await mkdtemp(join(tmpdir(), "familyseer-test-")), "tuning.log");
  });

  it("gives the mean cost of a program and none for a failed one", async () => {
    await writeFile(file, `${record("a", [0.1, 0.3])}\n${record("a", [1e10], 2)}\n`);
    assert.deepEqual(
      (await readLog(file)).map(({ cost }) => cost),
      [0.2, null],
    );
    assert.deepEqual(
      (await bestRecords(await readLog(file))).map(({ cost, trials, failures }) => [cost, trials, failures]),
      [[0.2, 2, 1]],
    );
  });

  it("leaves out a torn last line, and appends whole lines after it", async () => {
    await writeFile(file, `${record("a", [0.1])}\n${record("a", [0.2]).slice(0, 20)}`);
    assert.equal((await readLog(file)).length, 1);
    const log = new AppendOnlyFile(file);
    await log.append([record("b", [0.3])]);
    await log.close();
    assert.equal((await readLog(file)).length, 2);
  });

  it("refuses a torn line in the middle, a foreign file, a folder, and a path in none", async () => {
    await writeFile(file, `${record("a", [0.1]).slice(0, 20)}\n${record("a", [0.1])}\n`);
    await assert.rejects(readLog(file), /Line 1 of .* is not a record/);
    await writeFile(file, "hello\n");
    await assert.rejects(checkAppendable(file), /not a record of TVM/);
    assert.equal(await readFile(file, "utf8"), "hello\n");
    await assert.rejects(checkAppendable(tmpdir()), /is not a file/);
    await assert.rejects(checkAppendable("/nowhere/at/all.log"), /there is no folder/);
  });
});
