import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { METASCHEDULE_TVM_VERSION, packageVersion, TVM_VERSION } from "../../src/worker/installation.js";

/** What has to be said in two languages, or to people too, is said alike. */
describe("versions", () => {
  it("of the npm package and the Python package are one", async () => {
    assert.equal(await found("python/familyseer/__init__.py", /^__version__ = "(.*)"$/m), packageVersion());
    assert.match(await readFile("python/pyproject.toml", "utf8"), /^dynamic = \["version"\]$/m);
  });

  it("of the TVM that is installed unless another is named are one, and set-up knows it", async () => {
    assert.equal(await found("scripts/tvm-version", /^tvm_version=(.*)$/m), TVM_VERSION);
    assert.equal(await found("scripts/tvm-version", /^metaschedule_tvm_version=(.*)$/m), METASCHEDULE_TVM_VERSION);
    const scripts = await readdir("scripts");
    assert.ok(
      scripts.includes(`tvm-${TVM_VERSION}.artifacts`) && scripts.includes(`tvm-${TVM_VERSION}-cuda.artifacts`),
    );
  });

  it("of the TVMs that set-up installs each have a patch, and no other has", async () => {
    const installed = (await readdir("scripts")).flatMap((name) => /^tvm-([\d.]+)\.artifacts$/.exec(name)?.[1] ?? []);
    const patched = (await readdir("patches")).filter((name) => /^\d/.test(name));
    assert.deepEqual(patched.sort(), installed.sort());
    assert.ok(installed.length >= 3);
  });

  it("of the TVMs that work are in the documents what a Python is told that lacks one", async () => {
    const range = (await found("python/familyseer/needed.py", /"TVM (.*) with auto_scheduler,/)) ?? "no range";
    assert.ok((await readFile("docs/drop-in.md", "utf8")).includes(range));
  });
});

async function found(file: string, what: RegExp): Promise<string | undefined> {
  return what.exec(await readFile(file, "utf8"))?.[1];
}
