import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

describe("conformance", () => {
  it("agrees with both reference schedulers on every recorded job", async () => {
    const { stdout } = await execa("node", ["dist/src/cli/conformance.js", "test/conformance"]);
    assert.equal(stdout.split("\n").at(-1), "familyseer: 30 of 30 agree, ansor: 30 of 30 agree");
  });

  it("agrees on jobs of our own, of the kinds that go wrong first", async () => {
    const { stdout } = await execa("node", ["dist/src/cli/conformance.js", "test/conformance/own"]);
    assert.equal(stdout.split("\n").at(-1), "familyseer: 24 of 24 agree, ansor: 24 of 24 agree");
  });

  it("agrees with MetaSchedule's schedulers on every recorded job", async () => {
    const { stdout } = await execa("node", ["dist/src/cli/conformance.js", "test/conformance/metaschedule"]);
    assert.equal(stdout.split("\n").at(-1), "metaschedule: 28 of 28 agree");
  });

  it("replays what is recorded where nothing is named", async () => {
    const { stdout } = await execa("node", ["dist/src/cli/conformance.js"]);
    assert.equal(stdout, "familyseer: 30 of 30 agree, ansor: 30 of 30 agree, metaschedule: 28 of 28 agree");
  });

  it("names the first difference and exits with 1", async () => {
    const trace = JSON.parse(await readFile("test/conformance/001.json", "utf8"));
    trace.ansor.calls[3][0] += 1;
    const file = join(await temporaryFolder(), "wrong.json");
    await writeFile(file, JSON.stringify(trace));
    const { stdout, exitCode } = await execa("node", ["dist/src/cli/conformance.js", file], { reject: false });
    assert.equal(exitCode, 1);
    assert.match(stdout, /ansor: round 3: recorded task/);
    assert.match(stdout, /familyseer: 1 of 1 agree, ansor: 0 of 1 agree$/);
  });
});
