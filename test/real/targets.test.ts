import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

describe("a target on the command line", function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  const familyseer = (...args: string[]) =>
    execa("node", ["scripts/familyseer.js", ...args, "--model", "mlp"], {
      reject: false,
      env: { FAMILYSEER_HOME: folder, FAMILYSEER_TVM_PYTHON: tvmPython() },
    });

  it("that LLVM does not know, or that nothing here runs, is refused before anything is written", async () => {
    const cases: [string, RegExp][] = [
      ["opencl", /^familyseer: Programs for the target opencl cannot run on this machine: .*opencl.*--tracker/],
      ["llvm -mtriple=aarch64-linux-gnu", /^familyseer: Programs for .*: a first program did not run: .*--tracker/],
      ["llvm -mcpu=skylak", /^familyseer: LLVM knows no processor skylak .*Did you mean -mcpu=skylake/],
    ];
    for (const [target, message] of cases) {
      const { exitCode, stderr, stdout } = await familyseer(
        "tune",
        "--trials",
        "4",
        "--log",
        join(folder, "t.log"),
        "--target",
        target,
      );
      assert.match(stderr, message);
      assert.deepEqual([exitCode, stdout, stderr.split("\n").length], [2, "", 1], target);
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it("that TVM warns of has its warning told once, also where the tasks are known", async function () {
    if (existsSync("/dev/nvidia0")) {
      this.skip(); // TVM warns of a CUDA target without architecture where there is no GPU.
    }
    for (const json of [["--json"], ["--json"], []]) {
      const { exitCode, stderr } = await familyseer("tasks", "--target", "cuda", ...json);
      assert.match(stderr, /^TVM warns: Unable to detect CUDA version.*$/);
      assert.equal(exitCode, 0, stderr);
    }
  });
});
