import assert from "node:assert/strict";
import { execa } from "execa";

describe("set-up", () => {
  it("answers near misses of its options with the right name", async () => {
    for (const [option, near] of [
      ["--cud", "--cuda"],
      ["--tvm_python=x", "--tvm-python"],
    ] as const) {
      const { exitCode, stderr } = await execa("scripts/setup", [option], { reject: false });
      assert.match(stderr, new RegExp(`unknown option ${option}\\. Did you mean ${near}\\?`));
      assert.equal(exitCode, 2);
    }
  });

  it("refuses a CUDA build that there is none of", async () => {
    const { exitCode, stderr } = await execa("scripts/setup", ["--cuda", "--tvm", "0.14.0"], { reject: false });
    assert.match(stderr, /no CUDA build of TVM 0\.14\.0 to install\. Expected one of: 0\.18\.0;/);
    assert.equal(exitCode, 2);
  });
});
