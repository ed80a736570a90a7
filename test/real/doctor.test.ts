import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { CHANNELS } from "../../src/worker/channel.js";
import { tvmPython } from "../../src/worker/installation.js";
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

  it("finds a tvm-ffi that crashes its TVM, and names the one that works", async function () {
    const python = tvmPython(undefined, "", "metaschedule");
    const folder = await temporaryFolder();
    const install = [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--no-deps",
      "--target",
      folder,
      "apache-tvm-ffi==0.1.15.post2",
    ];
    const installed = await execa(python, install, { reject: false });
    if (installed.failed) {
      // Nothing can be fetched here.
      this.skip();
    }
    const { exitCode, stdout } = await doctor({ PYTHONPATH: folder }, "--tvm-python", python);
    const told =
      /TVM 0\.27\.0\.post1 in .* crashes with the tvm-ffi 0\.1\.15\.post2 .* pip install apache-tvm-ffi==0\.1\.14\.post1;/;
    assert.match(stdout, new RegExp(`^FAILED {2}Python with TVM: ${told.source}`, "m"));
    assert.match(stdout, new RegExp(`^FAILED {2}worker: The worker could not start\\..*\\n.*${told.source}`, "m"));
    assert.equal(exitCode, 2);
  });

  for (const channel of CHANNELS) {
    it(`finds MetaSchedule in the TVM of its own, over ${channel}`, async () => {
      const { exitCode, stdout } = await doctor({}, "--tuner", "metaschedule", "--channel", channel);
      assert.match(stdout, /^ok +worker: TVM 0\.27\.0\.post1, which tunes by MetaSchedule, on Python /m);
      assert.equal(exitCode, 0, stdout);
    });
  }

  it("tells of a Python that has another tuner than is asked for", async () => {
    const { exitCode, stdout } = await doctor({}, "--tuner", "metaschedule", "--tvm-python", tvmPython());
    assert.match(stdout, /^FAILED {2}worker: .* has the tuner ansor, and metaschedule is asked for, by --tuner/m);
    assert.equal(exitCode, 2);
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

function doctor(env: Readonly<Record<string, string>>, ...args: string[]) {
  return execa("node", ["scripts/familyseer.js", "doctor", ...args], { env, reject: false });
}
