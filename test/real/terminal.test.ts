import assert from "node:assert/strict";
import { join } from "node:path";
import { type JournalEntry, journalEntries } from "../../src/records/journal.js";
import { roundLine, taskTable } from "../../src/report/format.js";
import { ScriptedTuning } from "../helpers/scripted-tuning.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { Terminal } from "../helpers/terminal.js";

const MINUTE = 60_000;
const ROWS = 24;
const WIDTHS = [80, 140, 200];
/** Of a bar, and of nothing that stays. */
const BAR = /\d+\/12 trials, .* left/;

type Of<T extends JournalEntry["type"]> = Extract<JournalEntry, { type: T }>;

/** What a job is to have shown, by its journal. */
async function expectedOf(log: string) {
  const entries: JournalEntry[] = [];
  for await (const entry of journalEntries(log)) {
    entries.push(entry);
  }
  const of = <T extends JournalEntry["type"]>(type: T) =>
    entries.filter((entry): entry is Of<T> => entry.type === type);
  const [started] = of("started");
  const rounds = of("round-finished");
  const best = started?.tasks.map(
    (_, task) => rounds.findLast(({ round }) => round.task === task)?.outcome.after ?? null,
  );
  const programs = started?.tasks.map((_, task) =>
    rounds.filter(({ round }) => round.task === task).reduce((sum, { costs }) => sum + costs.length, 0),
  );
  // The journal's entries are the events, checked.
  const lines = rounds.map((entry) =>
    roundLine(entry as unknown as Parameters<typeof roundLine>[0], started?.tasks as never, false),
  );
  return {
    lines,
    table: (width: number) => taskTable(started?.tasks as never, best ?? [], programs ?? [], width).split("\n"),
  };
}

const COMMAND =
  "node scripts/familyseer.js tune --model mlp --trials 12 --trials-per-round 2 --foresee-trials 2 --population 32 " +
  "--generations 1 --min-repeat-ms 5 --number 1 --table-every 3 --log";

function tuning(log: string): string[] {
  return [...COMMAND.split(" "), log];
}

/** Where each text begins in what is shown, with every run of white space as one blank; -1: it is not there as a whole. */
function places(lines: readonly string[], texts: readonly string[]): number[] {
  const shown = lines.join(" ").replaceAll(/\s+/g, " ");
  return texts.map((text) => shown.indexOf(text.replaceAll(/\s+/g, " ")));
}

describe("a job on a terminal", function () {
  this.timeout(4 * MINUTE);

  // They take turns to time, and all else at once.
  const jobs = new Map<number, { readonly log: string; readonly terminal: Terminal; bar: string }>();
  before(async () => {
    for (const columns of WIDTHS) {
      const log = join(await temporaryFolder(), "t.log");
      const seen = ({ screen }: Terminal) => {
        const job = jobs.get(columns);
        if (job) {
          job.bar = screen.find((row) => BAR.test(row)) ?? job.bar;
        }
      };
      jobs.set(columns, { log, terminal: new Terminal({ columns, rows: ROWS }, tuning(log), {}, seen), bar: "" });
    }
  });

  for (const columns of WIDTHS) {
    it(`leaves every round and the last table on it, whole and in order, at ${columns} columns`, async () => {
      const job = jobs.get(columns);
      assert.ok(job);
      const { log, terminal } = job;
      assert.equal(await terminal.end(), 0, terminal.output);
      const { lines, broken } = terminal.shown;
      const text = lines.join("\n");
      assert.equal(broken, 0, text);
      assert.match(job.bar, BAR);
      assert.ok(!lines.some((line) => BAR.test(line)), text);

      const expected = await expectedOf(log);
      assert.ok(expected.lines.length >= 4, text);
      const at = places(lines, expected.lines);
      assert.ok(!at.includes(-1), text);
      assert.deepEqual(
        at,
        at.toSorted((a, b) => a - b),
        text,
      );
      const table = expected.table(columns);
      const end = lines.findLastIndex((line) => line === table.at(-1));
      assert.deepEqual(lines.slice(end + 1 - table.length, end + 1), table, text);
      assert.match(
        lines
          .slice(end + 1)
          .join(" ")
          .replaceAll(/\s+/g, " "),
        /programs measured .* in .* s; estimated latency/,
      );
      if (columns === 200) {
        const long = expected.lines.filter((line) => line.length > 140);
        assert.ok(
          long.length > 0 && long.every((line) => lines.includes(line)),
          `long lines have one row each:\n${text}`,
        );
      }
    });
  }

  it("keeps all of it when the terminal is made narrower and wider meanwhile", async () => {
    const log = join(await temporaryFolder(), "t.log");
    const sizes = [60, 132, 44, 100];
    let rounds = 0;
    const terminal = new Terminal({ columns: 100, rows: ROWS }, tuning(log), {}, (shown) => {
      const now = shown.shown.lines.filter((line) => line.startsWith("round ")).length;
      const columns = now > rounds ? sizes.shift() : undefined;
      rounds = now;
      if (columns !== undefined) {
        shown.resize({ columns, rows: ROWS });
      }
    });
    assert.equal(await terminal.end(), 0);
    const { lines } = terminal.shown;
    assert.deepEqual(sizes, []);
    const at = places(lines, (await expectedOf(log)).lines);
    assert.ok(!at.includes(-1), lines.join("\n"));
    assert.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    );
    assert.ok(!lines.some((line) => BAR.test(line)), lines.join("\n"));
  });
});

describe("a terminal that shows no bar", function () {
  this.timeout(MINUTE);

  for (const [what, env] of [
    ["a dumb one", { TERM: "dumb" }],
    ["one whose user wants no colours", { NO_COLOR: "1" }],
  ] as const) {
    it(`has plain lines, none wider than it: ${what}`, async () => {
      const tuning = (await ScriptedTuning.make()).command("--trials", "40");
      const terminal = new Terminal({ columns: 80, rows: ROWS }, tuning, env);
      assert.equal(await terminal.end(), 0, terminal.output);
      assert.match(terminal.output, /^round \d+: /m);
      const controls = terminal.output
        .replaceAll(/\r?\n/g, "")
        .split("")
        .filter((character) => character < " ");
      assert.deepEqual(controls, []);
      assert.equal(terminal.shown.broken, 0);
    });
  }
});
