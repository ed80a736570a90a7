import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;
const CASES = "test/cases";
const OPEN = `${CASES}/cnn_dyn_bhw.onnx`;

function familyseer(...args: string[]) {
  return execa("node", ["scripts/familyseer.js", ...args], { reject: false });
}

describe("networks from files, on the command line", function () {
  this.timeout(4 * MINUTE);
  let log: string;
  before(async () => {
    log = join(await temporaryFolder(), "t.log");
  });
  const tune = (model: string, ...more: string[]) => {
    const tiny = "--trials-per-round 2 --population 32 --generations 1 --min-repeat-ms 1 --number 1 --mode reference";
    return familyseer("tune", "--model", model, "--log", log, ...tiny.split(" "), ...more);
  };

  it("says what a file leaves open, and what of an --input is wrong, with exit code 2", async () => {
    const cases: [string[], RegExp][] = [
      [[OPEN], /height and width of its input input .*--input input:1x3x224x224$/],
      [[OPEN, "--input", "input:1x3x32x32", "--batch", "4"], /batch is 4, but no input has it/],
      [[OPEN, "--input", "1x3x32x32"], /1x3x32x32 is no input\. Expected NAME:SIZES\[:DTYPE\]/],
      [["mlp", "--input", "data:1x3x32x32"], /mlp is built with inputs of its own/],
    ];
    for (const [asked, message] of cases) {
      const { exitCode, stderr } = await familyseer("tasks", "--model", ...asked);
      assert.match(stderr.trim(), message);
      assert.equal(exitCode, 2, asked.join(" "));
    }
  });

  it("lists the tasks of what is asked for, and says the inputs", async () => {
    const open = await familyseer("tasks", "--model", OPEN, "--input", "input:2x3x32x40");
    assert.equal(open.exitCode, 0, open.stderr);
    assert.match(open.stdout, /^inputs: input 2x3x32x40 float32\n/);
    assert.match(open.stdout, /conv2d 3x3 32x40x3 -> 16/);
    const pair = await familyseer("tasks", "--model", `${CASES}/tuplein.json`);
    assert.match(pair.stderr, /its input t is a tuple\. Expected tensors/);
    assert.equal(pair.exitCode, 2);
    const helper = await familyseer("tasks", "--model", `${CASES}/helper.json`, "--json");
    assert.equal(JSON.parse(helper.stdout).length, 1);
  });

  it("tunes and evaluates control flow, and goes on with the same inputs alone", async () => {
    const model = `${CASES}/if.onnx`;
    const tuned = await tune(model, "--trials", "2");
    assert.equal(tuned.exitCode, 0, tuned.stderr);
    assert.match(tuned.stdout, /^inputs: x 1x3x8x8 float32, flag scalar bool$/m);
    const [started] = (await readFile(`${log}.journal.jsonl`, "utf8")).split("\n");
    assert.deepEqual(JSON.parse(started ?? "").inputs, [
      { name: "x", shape: [1, 3, 8, 8], dtype: "float32" },
      { name: "flag", shape: [], dtype: "bool" },
    ]);
    const other = await tune(model, "--trials", "4", "--resume", "--input", "x:1x3x8x8");
    assert.equal(other.exitCode, 2);
    assert.match(other.stderr, /cannot go on with other options: inputs was \[\] and is \[\{"name":"x"/);
    const timing = ["--repeat", "1", "--min-repeat-ms", "1"];
    const evaluated = await familyseer("evaluate", "--model", model, "--log", log, ...timing);
    assert.equal(evaluated.exitCode, 0, evaluated.stderr);
    assert.match(evaluated.stdout, /untuned \d\.\d+ ms, tuned \d\.\d+ ms/);
    assert.match(evaluated.stderr, /^inputs: x 1x3x8x8 float32, flag scalar bool$/m);
    assert.match(evaluated.stderr, /TVM's virtual machine runs it$/m);
  });

  it("tunes and evaluates a loop", async () => {
    log = join(await temporaryFolder(), "loop.log");
    const model = `${CASES}/loop.json`;
    assert.equal((await tune(model, "--trials", "2")).exitCode, 0);
    const timing = ["--repeat", "1", "--min-repeat-ms", "1", "--json"];
    const { stdout, stderr } = await familyseer("evaluate", "--model", model, "--log", log, ...timing);
    const { untunedSeconds, tunedSeconds } = JSON.parse(stdout);
    assert.ok(untunedSeconds > 0 && tunedSeconds > 0, stdout);
    assert.match(stderr, /cover 1 of 1 tasks/);
  });
});
