import Table from "cli-table3";
import type { DeathReason, FastReason, RateUnit, SearchReason } from "../core/decider.js";
import { describeNothingRan } from "../job/attempts.js";
import type { EndReason, NamedTask, TuneEvent } from "../job/events.js";
import type { DescribedInput } from "../protocol/operations/extract.js";
import type { JournaledEnd } from "../records/journal.js";
import { rowsOf } from "./text.js";

/** Milliseconds for people, from seconds; of the fastest programs, two figures rather than zeros. */
export function ms(seconds: number | null): string {
  if (seconds === null) {
    return "-";
  }
  const value = seconds * 1000;
  return value > 0 && value < 0.001 ? value.toPrecision(2) : value.toFixed(value < 1 ? 4 : 3);
}

/** GFLOP/s for people: two decimals, or two figures where they would be zeros. */
function gflops(value: number): string {
  return value > 0 && value < 0.01 ? value.toPrecision(2) : value.toFixed(2);
}

/** What a network is compiled for, for people. */
export function inputsLine(inputs: readonly DescribedInput[]): string {
  const each = inputs.map(({ name, shape, dtype }) => `${name} ${shape.join("x") || "scalar"} ${dtype}`);
  return `inputs: ${each.join(", ")}`;
}

const GAP = 2;
/** Where not even single words fit, columns down to this width break within words. */
const LEAST_WIDTH = 8;

/**
 * A table without frames, readable on a terminal and in a file. With a width its rows are at most that wide: cells break over
 * several lines, headings first, then the widest columns, and within words only where it cannot be helped.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  width: number | null = null,
): string {
  const texts = [head, ...rows].map((row) => row.map(String));
  const widths = columnWidths(texts, width);
  const [fittedHead = [], ...fitted] = texts.map((row) =>
    row.map((text, column) => rowsOf(text, widths[column] ?? text.length).join("\n")),
  );
  const made = new Table({
    head: fittedHead,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": GAP },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "",
    },
  });
  made.push(...fitted);
  return made.toString().replaceAll(/ +$/gm, "");
}

/** How wide each column of a table is, so that all of them and the gaps between them are at most `width` wide. */
function columnWidths([head = [], ...rows]: readonly (readonly string[])[], width: number | null): number[] {
  const cells = (column: number) => rows.map((row) => row[column] ?? "");
  const widths = head.map((heading, column) => longest([heading, ...cells(column)]));
  const bounds = [
    head.map((heading, column) => longest([...heading.split(" "), ...cells(column)])),
    head.map((heading, column) => longest([heading, ...cells(column)].flatMap((text) => text.split(" ")))),
    head.map(() => LEAST_WIDTH),
  ];
  let excess = width === null ? 0 : widths.reduce((sum, each) => sum + each + GAP, -GAP) - width;
  for (const least of bounds) {
    for (; excess > 0; excess -= 1) {
      const able = widths.map((each, column) => (each > (least[column] ?? 0) ? each : 0));
      const most = Math.max(...able);
      if (most === 0) {
        break;
      }
      widths[able.indexOf(most)] = most - 1;
    }
  }
  return widths;
}

function longest(texts: readonly string[]): number {
  return Math.max(1, ...texts.map(({ length }) => length));
}

/** The tasks with what has been reached: latency per run and in the whole network, GFLOP/s, programs measured. */
export function taskTable(
  tasks: readonly NamedTask[],
  bestCosts: readonly (number | null)[],
  trials: readonly number[],
  width: number | null,
): string {
  return table(
    ["id", "task", "family", "latency (ms)", "x weight (ms)", "GFLOP/s", "trials"],
    tasks.map((task, place) => {
      const cost = bestCosts[place] ?? null;
      const speed = cost === null || task.flops <= 0 ? "-" : gflops(task.flops / cost / 1e9);
      const total = cost === null ? null : cost * task.weight;
      return [task.id, task.words, task.family ?? "-", ms(cost), ms(total), speed, trials[place] ?? 0];
    }),
    width,
  );
}

const DEATHS: Readonly<Record<DeathReason, string>> = {
  exhausted: "nothing is left to measure",
  unimproved: "it stopped improving",
  "at-the-roof": "it is as fast as this machine can compute and move its data, within --roof-margin",
  "never-ran": "none of its programs ran",
};

/** A reason of a later version's journal stands for itself. */
export function describeDeath(reason: string): string {
  return `no further rounds for it: ${(DEATHS as Readonly<Record<string, string>>)[reason] ?? reason}`;
}

/** One line on a round: which task, why, what it brought, what failed, and the seconds it took, of each phase if asked. */
export function roundLine(
  event: Extract<TuneEvent, { type: "round-finished" }>,
  tasks: readonly NamedTask[],
  phases: boolean,
): string {
  const { round, outcome, costs, failures, origins, seconds } = event;
  const failed = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`);
  const change =
    outcome.before === outcome.after
      ? `stays at ${ms(outcome.after)} ms`
      : `${ms(outcome.before)} -> ${ms(outcome.after)} ms`;
  const byOrigin = Object.entries(origins).map(([name, { programs, best }]) => `${name} ${programs} (${ms(best)})`);
  const took = `${(seconds.propose + seconds.measure + seconds.learn).toFixed(1)} s`;
  const ofPhases = Object.entries({ search: seconds.propose, measure: seconds.measure, learn: seconds.learn });
  const split = ofPhases.map(([name, each]) => `${name} ${each.toFixed(2)}`).join(", ");
  return [
    `round ${round.index}: task ${round.task} (${tasks.find(({ id }) => id === round.task)?.words}), ${describeReason(round.reason)}: ${change}`,
    `${costs.length} measured${failed.length > 0 ? `, failed: ${failed.join(", ")}` : ""}`,
    ...(byOrigin.length > 0 ? [byOrigin.join(", ")] : []),
    phases ? `${took} (${split})` : took,
    ...(outcome.died === null ? [] : [describeDeath(outcome.died)]),
  ].join("; ");
}

export function describeReason(reason: SearchReason | FastReason): string {
  switch (reason.type) {
    case "warm-up":
      return "warm-up";
    case "next-in-turn":
      return "next in turn";
    case "steepest":
      return `steepest gradient ${reason.gradient.toExponential(2)}`;
    case "drawn":
      return `drawn among ${reason.among} equal gradients`;
    case "foresee":
      return `foresee in ${reason.family} after task ${reason.after}, ${reason.drawn ? "drawn" : "steepest"} of ${reason.among}`;
    case "first-look":
      return reason.first ? `first of ${reason.family}` : `first look, beside its siblings of ${reason.family}`;
    case "expected-gain":
      return `${rate(reason.rate, reason.per)} expected${reason.next === null ? "" : `, next best ${rate(reason.next, reason.per)}`}`;
    case "expected-of-schedules":
      return `foresee in ${reason.family} after task ${reason.after}: ${(100 * reason.gain).toFixed(0)} % expected of its schedules, ${rate(reason.rate, reason.per)}`;
  }
}

/** A fall of the network's latency, in seconds per second of tuning or per program. */
function rate(fall: number, per: RateUnit): string {
  return `${(1e6 * fall).toPrecision(2)} ${per === "second" ? "us/s" : "us/program"}`;
}

export function describeStop(reason: EndReason): string {
  switch (reason.type) {
    case "trials-spent":
      return "the trials are spent";
    case "all-tasks-dead":
      return "no task is left to search";
    case "no-improvement":
      return `no improvement in the last ${reason.trials} trials`;
    case "little-left":
      return (
        `little is left to gain: as many programs again as the ${reason.trials} measured are expected to take ` +
        `${percent(reason.expected)} off, and ${percent(reason.least)} is the least worth it (--least-gain)`
      );
    case "nothing-ran":
      return describeNothingRan(reason);
    case "cancelled":
      return "cancelled";
  }
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(2)} %`;
}

/** How a job ended, by the reason in its journal; null if its journal has no end. */
export function describeEnd(reason: JournaledEnd | null): string {
  if (reason === null) {
    return "no end in its journal: it still runs, or was killed";
  }
  const { type, trials = 0, expected = 0, least = 0 } = reason;
  switch (type) {
    case "trials-spent":
    case "no-improvement":
      return describeStop({ type, trials });
    case "little-left":
      return describeStop({ type, trials, expected, least });
    case "all-tasks-dead":
    case "cancelled":
      return describeStop({ type });
    case "nothing-ran":
      return describeNothingRan(reason);
    default:
      return type;
  }
}
