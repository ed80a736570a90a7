import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidRequestError } from "../../../src/errors.js";
import { type JournalEntry, journalEntries } from "../../../src/records/journal.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const STARTED = JSON.stringify({
  time: "2026-11-24T10:00:00.000Z",
  type: "started",
  target: "llvm",
  options: { model: "mlp" },
  tasks: [{ workloadKey: "a", words: "dense", family: null, weight: 1, flops: 1 }],
});

describe("the entries of a journal", () => {
  let log: string;
  beforeEach(async () => {
    log = join(await temporaryFolder(), "t.log");
  });

  async function entries(...lines: string[]): Promise<JournalEntry[]> {
    await writeFile(`${log}.journal.jsonl`, lines.join("\n"));
    const read = [];
    for await (const entry of journalEntries(log)) {
      read.push(entry);
    }
    return read;
  }

  /** What names tasks in the entries: those of a start; and of a round, which is one of foreseeing, its task and that before. */
  const numbers = async (...lines: object[]) =>
    (await entries(...lines.map((line) => JSON.stringify(line)))).flatMap((entry) => {
      if (entry.type === "started") {
        return [entry.tasks.map(({ id }) => id)];
      }
      const reason = entry.type === "round-started" && entry.round.reason.type === "foresee" && entry.round.reason;
      return reason && "round" in entry ? [[entry.round.task, reason.after]] : [];
    });

  it("are none where there is no journal", async () => {
    for await (const entry of journalEntries(log)) {
      assert.fail(JSON.stringify(entry));
    }
  });

  it("leave out a torn last line and types of another version", async () => {
    const read = await entries(STARTED, '{"type":"paused"}', STARTED.slice(0, 50));
    assert.deepEqual(
      read.map(({ type }) => type),
      ["started"],
    );
  });

  it("keep the name of a reason that another version gave", async () => {
    const round = {
      time: "2026-11-24T10:00:01.000Z",
      type: "round-finished",
      round: { index: 0, task: 0, reason: { type: "steepest", gradients: [-1] } },
      outcome: { before: null, after: 0.1, died: false },
      costs: [0.1],
      failures: {},
      seconds: { propose: 1, measure: 1, learn: 1 },
    };
    const [, read] = await entries(STARTED, JSON.stringify(round));
    assert.ok(read?.type === "round-finished");
    assert.deepEqual(read.round.reason, { type: "other", name: "steepest" });
  });

  it("have the network's numbers of tasks, also where an older version counted those of a job from 0", async () => {
    const time = "2026-11-24T10:00:01.000Z";
    const task = { words: "dense", family: null, weight: 1, flops: 1 };
    const started = (ids: readonly (number | undefined)[]) => ({
      ...JSON.parse(STARTED),
      options: { model: "mlp", onlyTasks: [9, 4, 9] },
      tasks: ids.map((id, place) => ({ ...task, id, workloadKey: `key ${place}` })),
    });
    const round = (searched: number, after: number) => ({
      time,
      type: "round-started",
      round: {
        index: 0,
        task: searched,
        programs: 1,
        reason: { type: "foresee", family: "all", after, among: 1, drawn: false, gradient: -1 },
      },
      logBytes: 0,
      gains: null,
    });
    const older = [started([undefined, undefined]), round(1, 0)];
    assert.deepEqual(await numbers(...older), [
      [4, 9],
      [9, 4],
    ]);
    assert.deepEqual(
      await numbers(
        ...older,
        { time, type: "resumed", trials: 1 },
        round(0, 1),
        { time, type: "resumed", trials: 1, tasks: [4, 9] },
        round(4, 9),
        started([4, 9]),
        round(9, 4),
      ),
      [
        [4, 9],
        [9, 4],
        [4, 9],
        [4, 9],
        [4, 9],
        [9, 4],
      ],
      "also where a newer one goes on",
    );
  });

  it("are refused with line and field where one is broken", async () => {
    await assert.rejects(
      entries(STARTED, '{"type":"finished"}', STARTED),
      (error) =>
        error instanceof InvalidRequestError &&
        /Line 2 of .*t\.log\.journal\.jsonl is no entry.*time/.test(error.message),
    );
    await assert.rejects(entries("not JSON", STARTED), InvalidRequestError);
  });
});
