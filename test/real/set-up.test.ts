import assert from "node:assert/strict";
import { execa } from "execa";
import { temporaryFolder } from "../helpers/temporary-folder.js";

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

  it("names the versions of TVM there are, and what does without Maven where that is missing", async () => {
    const other = await execa("scripts/setup", ["--tvm", "0.22"], { reject: false });
    assert.match(
      other.stderr,
      /no TVM 0\.22 to install\. Expected one of: 0\.8\.0 0\.14\.0 0\.18\.0 0\.26\.0 0\.27\.0\.post1;/,
    );
    assert.equal(other.exitCode, 2);
    const folder = await temporaryFolder();
    // All that set-up asks for, but for Maven.
    const tools = ["bash", "cat", "cc", "dirname", "grep", "node", "npm", "python3", "sed", "sort", "tr", "uname"];
    const script = `for tool; do ln -s "$(command -v "$tool")" "${folder}"; done`;
    await execa("bash", ["-c", script, "link", ...tools]);
    const env = { PATH: folder, FAMILYSEER_HOME: folder };
    const missing = await execa("scripts/setup", [], { env, reject: false });
    assert.match(
      missing.stderr,
      /are missing; [^]*\n {2}mvn .*apt install maven\. Or do without: --tvm 0\.27 installs .*\n?$/,
    );
    assert.equal(missing.exitCode, 2);
  });

  it("refuses a CUDA build that there is none of", async () => {
    const { exitCode, stderr } = await execa("scripts/setup", ["--cuda", "--tvm", "0.14.0"], { reject: false });
    assert.match(stderr, /no CUDA build of TVM 0\.14\.0 to install\. Expected one of: 0\.18\.0;/);
    assert.equal(exitCode, 2);
  });
});
