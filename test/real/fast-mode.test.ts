import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TuneEvent } from "../../src/job/events.js";
import { tune } from "../../src/job/tuner.js";
import type { FastTuneOptions, TuneOptions } from "../../src/options/options.js";
import { readLog } from "../../src/records/log.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;

type RoundFinished = Extract<TuneEvent, { type: "round-finished" }>;

async function rounds(options: TuneOptions): Promise<{ rounds: RoundFinished[]; events: TuneEvent[] }> {
  const events: TuneEvent[] = [];
  for await (const event of tune(options)) {
    events.push(event);
  }
  return { events, rounds: events.filter((event) => event.type === "round-finished") };
}

describe("the fast mode", function () {
  this.timeout(5 * MINUTE);
  let folder: string;
  before(async () => {
    folder = await temporaryFolder();
  });

  /** Pointwise convolutions of three structures. */
  const small = (name: string): FastTuneOptions => ({
    model: "mobilenetv2_0.5",
    mode: "fast",
    onlyTasks: [7, 23, 29],
    trials: 40,
    trialsPerRound: 6,
    foreseeTrials: 3,
    minRepeatMs: 5,
    number: 1,
    log: join(folder, name),
  });

  it("fits siblings' schedules, moves tile sizes, and says of each round what was at work", async () => {
    // The types let no caller mix the modes; JavaScript does.
    const mixed: object = { alpha: 0.5 };
    const library = join(folder, "library");
    const { rounds: done, events } = await rounds({ ...small("first.log"), ...mixed, descent: true, library });
    const started = events.find((event) => event.type === "started");
    assert.match(started?.notices.join() ?? "", /alpha has no effect in fast mode/);
    assert.deepEqual(
      started?.tasks.map(({ id }) => id),
      [7, 23, 29],
    );
    assert.ok(done.every(({ round }) => [7, 23, 29].includes(round.task)));
    const models = JSON.parse(await readFile(join(folder, "first.log.models", "models.json"), "utf8"));
    assert.deepEqual(
      models.map(({ tasks }: { tasks: number[] }) => tasks),
      [[7, 23, 29]],
    );
    const looks = done.filter(({ round }) => round.reason.type === "first-look");
    assert.deepEqual(looks.filter(({ origins }) => "sibling" in origins).length, 2, "the second and third convolution");
    assert.ok(done.some(({ origins }) => "descent" in origins));
    const measured = events.filter((event) => event.type === "measured");
    const records = await readLog(join(folder, "first.log"));
    assert.equal(records.length, measured.length);
    const counted = done.flatMap(({ origins }) => Object.values(origins)).reduce((sum, each) => sum + each.programs, 0);
    assert.equal(counted, measured.length);
    assert.ok(records.some(({ cost }) => cost !== null));
  });

  it("takes over the schedules and models of an earlier job", async () => {
    const { rounds: done } = await rounds({
      ...small("second.log"),
      onlyTasks: [31],
      trials: 8,
      loadModels: join(folder, "first.log.models"),
    });
    assert.ok("earlier" in (done[0]?.origins ?? {}));
  });

  it("begins with what an earlier job left in the library, and adds to it", async () => {
    const library = join(folder, "library");
    const ofTarget = async () => {
      const [target] = await readdir(library);
      return JSON.parse(await readFile(join(library, target ?? "", "nn.conv2d.schedules.json"), "utf8")).tasks.length;
    };
    assert.equal(await ofTarget(), 3);
    const again = { ...small("third.log"), onlyTasks: [31], trials: 8, library };
    const { rounds: done, events } = await rounds(again);
    const started = events.find((event) => event.type === "started");
    assert.match(
      started?.notices.join("\n") ?? "",
      /begins with [3-9] schedules and a model for nn\.conv2d, from 1 earlier job for this target/,
    );
    assert.ok("earlier" in (done[0]?.origins ?? {}));
    assert.notEqual(done[0]?.accuracy, null, "its model is asked from the first round on");
    assert.equal(await ofTarget(), 4);
  });

  it("leaves out what it is told to", async () => {
    const without = { shareSchedules: false, descent: false, stalledDescent: false, foreseeByGain: false };
    const flags = { ...without, roofline: false };
    const { rounds: done } = await rounds({ ...small("evolution.log"), onlyTasks: [7, 23], trials: 20, ...flags });
    assert.deepEqual(
      [...new Set(done.flatMap(({ origins }) => Object.keys(origins)))].sort((a, b) => a.localeCompare(b)),
      ["evolution", "random"],
    );
  });
});
