import type { NamedTask, TuneEvent } from "../job/events.js";
import { tunerWords } from "../tuner-name.js";
import { Disturbances } from "./disturbances.js";
import { describeEnd, describeStop, inputsLine, ms, roundLine, taskTable } from "./format.js";
import { type Output, Screen } from "./screen.js";

/** `quiet`: only the end and what went wrong; `verbose`: also every program, and the seconds of each phase. */
export type Detail = "quiet" | "usual" | "verbose";

export interface DisplayOptions {
  /** Rounds between task tables; 0: only at the end. */
  readonly tableEvery: number;
  readonly detail?: Detail;
}

/** Shows a job: a line per round, the task table every `tableEvery` rounds, and below them, on a terminal, a progress bar. */
export class TuneDisplay {
  readonly #screen: Screen;
  readonly #tableEvery: number;
  readonly #detail: Detail;
  #tasks: readonly NamedTask[] = [];
  /** One for each of the tasks, in their order. */
  #bestCosts: (number | null)[] = [];
  #trials: number[] = [];
  #rounds = 0;
  #tuner = "";
  readonly #disturbances = new Disturbances();
  /** Whether the table was shown after the last round. */
  #tableShown = false;

  constructor(out: Output, { tableEvery, detail = "usual" }: DisplayOptions) {
    this.#screen = new Screen(out);
    this.#tableEvery = tableEvery;
    this.#detail = detail;
  }

  show(event: TuneEvent): void {
    switch (event.type) {
      case "started":
        this.#start(event);
        break;
      case "ended-before":
        this.#line(`nothing to do: the job has ended (${describeEnd(event.reason)}); with more --trials it goes on`);
        break;
      case "round-started":
        this.#screen.nameBar(this.#tasks[this.#place(event.round.task)]?.words ?? "");
        break;
      case "measured":
        this.#countTrial(this.#place(event.task));
        this.#disturbances.count(event);
        this.#tableShown = false;
        if (this.#detail === "verbose") {
          this.#line(`  ${describeProgram(event)}`);
        }
        this.#screen.advanceBar();
        break;
      case "round-finished":
        this.#finishRound(event);
        break;
      case "finished":
        this.#finish(event);
        break;
    }
  }

  /** Tells of what is no event, beside the display. */
  aside(text: string): void {
    this.#screen.aside(text);
  }

  /** Takes the bar off the terminal. */
  end(): void {
    this.#screen.endBar();
  }

  #start(event: Extract<TuneEvent, { type: "started" }>): void {
    this.#tasks = event.tasks;
    const { resumed, before } = event;
    this.#tuner = tunerWords(event.tuner);
    this.#bestCosts = [...before.bestCosts];
    this.#trials = [...before.programs];
    if (this.#detail === "quiet") {
      return;
    }
    const done = this.#trials.reduce((sum, each) => sum + each, 0);
    const from = event.tasksFromCache ? " (from the cache)" : "";
    this.#line(
      `${event.tasks.length} tasks${from} for ${event.target}, tuned by ${this.#tuner}: ` +
        `${event.trials} trials, ${event.trialsPerRound} a round`,
    );
    this.#line(inputsLine(event.inputs));
    if (resumed) {
      const inRound = resumed.inRound > 0 ? `, ${resumed.inRound} of them of a round that is gone on with` : "";
      this.#line(`the job goes on after ${resumed.rounds} rounds and ${done} programs${inRound}`);
    } else if (event.recordsTaken > 0) {
      this.#line(`${event.recordsTaken} records that were there already are taken over`);
    }
    for (const notice of event.notices) {
      this.#line(notice);
    }
    this.#screen.startBar(event.trials, done);
  }

  #finishRound(event: Extract<TuneEvent, { type: "round-finished" }>): void {
    this.#bestCosts[this.#place(event.round.task)] = event.outcome.after;
    if (this.#detail !== "quiet") {
      this.#line(roundLine(event, this.#tasks, this.#detail === "verbose"));
    }
    // Without any program a notice says why.
    if (this.#detail !== "quiet" || event.costs.length === 0) {
      for (const notice of event.notices) {
        this.#line(`  ${notice}`);
      }
    }
    if (event.firstError !== null && event.outcome.after === null) {
      this.#line(
        `every program of task ${event.round.task} failed so far; the first error:\n${indent(event.firstError)}`,
      );
    }
    this.#rounds += 1;
    this.#tableShown = this.#detail !== "quiet" && this.#tableEvery > 0 && this.#rounds % this.#tableEvery === 0;
    if (this.#tableShown) {
      this.#line(taskTable(this.#tasks, this.#bestCosts, this.#trials, this.#screen.width));
    }
  }

  #finish(event: Extract<TuneEvent, { type: "finished" }>): void {
    this.end();
    const end =
      `${describeStop(event.reason)}: ${event.trials} programs measured (${event.failures} failed) ` +
      `in ${event.seconds.toFixed(1)} s`;
    if (event.bestCosts.length === 0) {
      this.#line(`${end}; the job had not begun`);
      return;
    }
    for (const notice of event.notices) {
      this.#line(notice);
    }
    if (!this.#tableShown) {
      this.#line(taskTable(this.#tasks, event.bestCosts, this.#trials, this.#screen.width));
    }
    const score = event.score === null ? "not known, as some task has no program that ran" : `${ms(event.score)} ms`;
    for (const line of this.#disturbances.lines()) {
      this.#line(line);
    }
    this.#line(`${end}; estimated latency of all tasks, tuned by ${this.#tuner}, ${score}`);
  }

  #countTrial(place: number): void {
    this.#trials[place] = (this.#trials[place] ?? 0) + 1;
  }

  /** A task's place among the job's tasks. */
  #place(task: number): number {
    return this.#tasks.findIndex(({ id }) => id === task);
  }

  #line(text: string): void {
    this.#screen.line(text);
  }
}

/** One line on a program: what it is of, what came of it, where it came from. */
function describeProgram({
  task,
  cost,
  failure,
  message,
  device,
  origin,
  disturbed,
  timings,
}: Extract<TuneEvent, { type: "measured" }>): string {
  const result = cost === null ? `${failure}: ${message?.trim().split("\n").at(-1) ?? ""}` : `${ms(cost)} ms`;
  return [
    `task ${task}, ${origin}`,
    ...(device === null ? [] : [`on ${device}`]),
    result,
    ...(disturbed ? ["disturbed by other work"] : []),
    ...(timings > 1 ? [`timed ${timings} times`] : []),
  ].join("; ");
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
