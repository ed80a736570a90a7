import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { LogLock } from "../../../src/records/log-lock.js";
import { logIn, workloadsOf } from "../../../src/records/paths.js";
import { ScriptedTuning } from "../../helpers/scripted-tuning.js";

const ARGS = ["--trials", "20", "--trials-per-round", "2"];

describe("the lock of a log", () => {
  let tuning: ScriptedTuning;
  beforeEach(async () => {
    tuning = await ScriptedTuning.make();
  });

  it("has a second job refused, which is told who has it, and leaves nothing", async () => {
    const lock = await LogLock.take(tuning.log, null);
    const { exitCode, stderr } = await tuning.run(ARGS);
    await lock.release();
    assert.equal(exitCode, 2);
    assert.match(stderr, new RegExp(`Another job, process ${process.pid} since \\d{4}-.*, writes to .*t\\.log`));
    assert.deepEqual(await readdir(tuning.folder), ["python"]);
  });

  it("has a job that waits go on when the other is done", async () => {
    const lock = await LogLock.take(tuning.log, null);
    const waiting = tuning.run([...ARGS, "--wait"]);
    await lock.release();
    const { exitCode, stderr } = await waiting;
    assert.equal(exitCode, 0, stderr);
  });

  it("makes the folder of a new database, and takes it away unless something is in it", async () => {
    const log = logIn(join(tuning.folder, "new"));
    await (await LogLock.take(log, null)).release();
    assert.deepEqual(await readdir(tuning.folder), ["python"]);
    const lock = await LogLock.take(log, null);
    await writeFile(workloadsOf(log), "");
    await lock.release();
    assert.deepEqual(await readdir(join(tuning.folder, "new")), ["database_workload.json"]);
  });

  it("makes it again for a job that waited while the other wrote nothing", async () => {
    const log = logIn(join(tuning.folder, "new"));
    const first = await LogLock.take(log, null);
    const waiting = LogLock.take(log, new AbortController().signal);
    await first.release();
    await (await waiting).release();
  });

  it("ends its wait with the signal", async () => {
    const lock = await LogLock.take(tuning.log, null);
    const stop = new AbortController();
    const waiting = LogLock.take(tuning.log, stop.signal);
    stop.abort();
    await assert.rejects(waiting, /ended while it waited/);
    await lock.release();
  });

  it("ends with its process, also where that is killed and what it started lives on", async () => {
    const script = `
      import { spawn } from "node:child_process";
      import { LogLock } from "./dist/src/records/log-lock.js";
      await LogLock.take(process.argv[1], null);
      const child = spawn("sleep", ["60"], { detached: true });
      console.log(child.pid);`;
    const holder = execa("node", ["--input-type=module", "-e", script, tuning.log], { reject: false });
    const [child] = await once(holder.stdout, "data");
    await assert.rejects(LogLock.take(tuning.log, null), new RegExp(`process ${holder.pid} since`));
    holder.kill("SIGKILL");
    await holder;
    const lock = await LogLock.take(tuning.log, null);
    process.kill(Number(String(child)));
    await lock.release();
  });
});
