import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { AppendOnlyFile } from "../../../src/records/append-only-file.js";
import { bestRecords } from "../../../src/records/best.js";
import { checkAppendable, readLog } from "../../../src/records/log.js";
import { describeSkipped, SkippedLines } from "../../../src/records/skipped.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

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
    file = join(await temporaryFolder(), "tuning.log");
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
    const log = await AppendOnlyFile.open(file);
    await log.append([record("b", [0.3])]);
    await log.close();
    assert.equal((await readLog(file)).length, 2);
  });

  it("skips what is no record that can be used, and says how many lines and which", async () => {
    const lines = [
      record("a", [0.1]),
      record("a", [0.1]).slice(0, 20),
      "\u0000\uFFFD\u0007",
      record("a", [-0.1]),
      record("a", [0.1]).replace("[0.1]", "[nan]"),
      record("a", [0.2]).replace("v0.6", "v7"),
      "[1, 2]",
      record("b", [0.3]),
    ];
    await writeFile(file, lines.join("\n"));
    const skipped = new SkippedLines();
    assert.equal((await readLog(file, skipped)).length, 2);
    assert.deepEqual(describeSkipped("t.log", skipped.all), [
      "6 lines of t.log skipped: 4 that are no records (line 2, 3, 5, 7); 1 with a time that cannot be (line 4); " +
        "1 of the record version v7 (line 6)",
    ]);
    assert.equal(await readFile(file, "utf8"), lines.join("\n"));
  });

  it("completes a last line that only lacks its break", async () => {
    await writeFile(file, `${record("a", [0.1])}\n${record("a", [0.2])}`);
    const log = await AppendOnlyFile.open(file);
    await log.append([record("b", [0.3])]);
    await log.close();
    assert.equal((await readLog(file)).length, 3);
  });

  it("that is removed while it is written is written again, and the writer is told", async () => {
    const log = await AppendOnlyFile.open(file);
    await log.append([record("a", [0.1])]);
    await rm(file);
    await assert.rejects(
      log.append([record("a", [0.2])]),
      /was removed while it was written. All that was in it is now in/,
    );
    assert.equal((await readLog(file)).length, 2);
    await log.close();
  });

  it("that is removed after its last record is written again, and who looks is told", async () => {
    const log = await AppendOnlyFile.open(file);
    await log.append([record("a", [0.1])]);
    await rm(file);
    await assert.rejects(log.requireInPlace(), /was removed while it was written. All that was in it is now in/);
    assert.equal((await readLog(file)).length, 1);
    await log.close();
  });

  it("that is replaced while it is written is kept beside the other", async () => {
    const log = await AppendOnlyFile.open(file);
    await log.append([record("a", [0.1])]);
    await rm(file);
    await writeFile(file, "");
    await assert.rejects(log.append([record("a", [0.2])]), /was replaced by another file .* now in .*\.kept/);
    assert.equal((await readLog(`${file}.kept`)).length, 2);
    await log.close();
  });

  it("has a line whole or not at all where the disk is full", async () => {
    // A limit on the size of files is to a process what a full disk is: its write ends in the middle of a line.
    const script = `
      import { AppendOnlyFile } from "./dist/src/records/append-only-file.js";
      process.on("SIGXFSZ", () => undefined);
      const log = await AppendOnlyFile.open(process.argv[1]);
      try {
        for (;;) {
          await log.append([JSON.stringify("x".repeat(300))]);
        }
      } catch (error) {
        console.log(error.message);
      }`;
    const { stdout } = await execa("sh", [
      "-c",
      'ulimit -f 4; exec node --input-type=module -e "$0" "$1"',
      script,
      file,
    ]);
    assert.match(stdout, /cannot be written \(EFBIG\)\. All that was recorded before is in it.*--resume/);
    const text = await readFile(file, "utf8");
    assert.ok(text.length > 0 && text.endsWith("\n"));
    assert.ok(
      text
        .trim()
        .split("\n")
        .every((line) => JSON.parse(line).length === 300),
    );
  });

  it("refuses a foreign file, a folder, and a path in none", async () => {
    await writeFile(file, "hello\n");
    await assert.rejects(readLog(file), /Line 1 of .* is not a record/);
    await assert.rejects(checkAppendable(file), /not a record of TVM/);
    assert.equal(await readFile(file, "utf8"), "hello\n");
    await assert.rejects(checkAppendable(tmpdir()), /is not a file/);
    await assert.rejects(checkAppendable("/nowhere/at/all.log"), /there is no folder/);
  });
});
