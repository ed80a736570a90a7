import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { temporaryFolder } from "../helpers/temporary-folder.js";

describe("familyseer doctor", function () {
  this.timeout(60_000);

  it("warns of a numpy that does not fit the TVM, and is content all the same", async () => {
    const folder = await temporaryFolder();
    const description = join(folder, "numpy-2.2.6.dist-info");
    await mkdir(description);
    await writeFile(join(description, "METADATA"), "Metadata-Version: 2.1\nName: numpy\nVersion: 2.2.6\n");
    const { exitCode, stdout } = await doctor({ PYTHONPATH: folder });
    assert.match(stdout, /^warning Python with TVM: numpy 2\.2\.6 does not fit the TVM in .*Install "numpy<2"/m);
    assert.equal(exitCode, 0, stdout);
  });

  for (const [tools, message] of [
    [["cc", "gcc", "clang"], /^FAILED {2}C compiler: cc does not work \(of no use\), gcc does not work/m],
    [["ld"], /^FAILED {2}C compiler: ld, which programs are linked with, does not work \(of no use\)/m],
  ] as const) {
    it(`tells of a ${tools[0]} that does not work`, async () => {
      const folder = await temporaryFolder();
      for (const name of tools) {
        await writeFile(join(folder, name), "#!/bin/sh\necho of no use >&2\nexit 1\n", { mode: 0o755 });
      }
      const { exitCode, stdout } = await doctor({ PATH: `${folder}:${process.env["PATH"]}` });
      assert.match(stdout, message);
      assert.equal(exitCode, 2);
    });
  }
});

function doctor(env: Readonly<Record<string, string>>) {
  return execa("node", ["scripts/familyseer.js", "doctor"], { env, reject: false });
}
