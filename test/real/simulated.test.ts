import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidRequestError } from "../../src/errors.js";
import type { TuneEvent } from "../../src/job/events.js";
import { Tuner, tune } from "../../src/job/tuner.js";
import { timeTuned } from "../../src/network/evaluate.js";
import type { TuneOptions } from "../../src/options/options.js";
import { readLog } from "../../src/records/log.js";
import { readRuns } from "../../src/report/read-runs.js";
import { isSimulated } from "../../src/target.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;

async function collect(options: TuneOptions): Promise<TuneEvent[]> {
  const events: TuneEvent[] = [];
  for await (const event of tune(options)) {
    events.push(event);
  }
  return events;
}

describe("a job on the simulated GPU", function () {
  this.timeout(5 * MINUTE);
  let folder: string;
  before(async () => {
    folder = await temporaryFolder();
  });

  const small = (name: string): TuneOptions => ({
    model: "mobilenet0.5",
    simulated: true,
    mode: "reference",
    onlyTasks: [0, 4],
    trials: 16,
    trialsPerRound: 4,
    foreseeTrials: 2,
    population: 64,
    generations: 1,
    log: join(folder, name),
  });

  it("needs no GPU, and its records, journal and report say that they are simulated", async () => {
    const events = await collect(small("first.log"));
    const records = await readLog(join(folder, "first.log"));
    assert.equal(records.length, 16);
    assert.ok(records.some(({ cost }) => cost !== null && cost > 1e-6 && cost < 1));
    assert.ok(records.every(({ target }) => isSimulated(target)));
    const devices = events.flatMap((event) => (event.type === "measured" ? [event.device] : []));
    assert.deepEqual([...new Set(devices)], ["simulated V100"]);
    assert.match(await readFile(join(folder, "first.log.journal.jsonl"), "utf8"), /"simulated V100"/);
    assert.match((await readRuns(join(folder, "first.log"), "first"))[0]?.name ?? "", /simulated/);
  });

  it("is never taken for one that measured", async () => {
    const log = join(folder, "first.log");
    const network = { model: "mobilenet0.5", batch: 1, layout: "NHWC", repeat: 1, minRepeatMs: 1 };
    const evaluated = timeTuned({ ...network, target: "llvm", log, acceptOtherTargets: true });
    await assert.rejects(evaluated, /16 for the target .*simulated-v100/);
    const real = { ...small("real.log"), simulated: false, target: "llvm", loadModels: `${log}.models` };
    await assert.rejects(collect(real), /learnt from a simulated GPU/);
    const loading = collect({ ...small("real.log"), simulated: false, target: "llvm", trials: 2, loadLog: log });
    await assert.rejects(loading, /16 for the target .*simulated-v100/);
  });

  it("takes no target but a V100's, and no other devices beside it", () => {
    for (const wrong of [
      { target: "llvm" },
      { target: "cuda -arch=sm_80" },
      { gpus: 1 },
      { tracker: "127.0.0.1:9190" },
    ]) {
      assert.throws(() => new Tuner({ ...small("never.log"), ...wrong }), InvalidRequestError);
    }
  });
});
