import { SingleBar } from "cli-progress";
import type { NamedTask, TuneEvent } from "../tuner/events.js";
import { describeEnd, describeStop, inputsLine, ms, roundLine, taskTable } from "./format.js";

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Shows a job: one progress bar on a terminal, a line per round, the task table every `tableEvery` rounds. */
export class TuneDisplay {
  #tasks: readonly NamedTask[] = [];
  /** One for each of the tasks, in their order. */
  #bestCosts: (number | null)[] = [];
  #trials: number[] = [];
  #bar: SingleBar | null = null;
  #rounds = 0;

  constructor(
    private readonly out: Output,
    private readonly tableEvery: number,
  ) {}

  show(event: TuneEvent): void {
    switch (event.type) {
      case "started":
        this.#start(event);
        break;
      case "ended-before":
        this.#line(`nothing to do: the job has ended (${describeEnd(event.reason)}); with more --trials it goes on`);
        break;
      case "round-started":
        this.#bar?.update({ task: this.#tasks[this.#place(event.round.task)]?.words ?? "" });
        break;
      case "measured":
        this.#countTrial(this.#place(event.task));
        this.#bar?.increment();
        break;
      case "round-finished":
        this.#finishRound(event);
        break;
      case "finished":
        this.#finish(event);
        break;
    }
  }

  /** Takes the bar off the terminal. */
  end(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #start(event: Extract<TuneEvent, { type: "started" }>): void {
    this.#tasks = event.tasks;
    const { resumed } = event;
    this.#bestCosts = event.tasks.map((_, place) => resumed?.bestCosts[place] ?? null);
    this.#trials = event.tasks.map((_, place) => resumed?.programs[place] ?? 0);
    const before = this.#trials.reduce((sum, each) => sum + each, 0);
    const from = event.tasksFromCache ? " (from the cache)" : "";
    this.#line(
      `${event.tasks.length} tasks${from} for ${event.target}: ${event.trials} trials, ${event.trialsPerRound} a round`,
    );
    this.#line(inputsLine(event.inputs));
    if (resumed) {
      const inRound = resumed.inRound > 0 ? `, ${resumed.inRound} of them of a round that is gone on with` : "";
      this.#line(`the job goes on after ${resumed.rounds} rounds and ${before} programs${inRound}`);
    } else if (event.recordsTaken > 0) {
      this.#line(`${event.recordsTaken} records of an earlier log are taken over`);
    }
    for (const notice of event.notices) {
      this.#line(notice);
    }
    if (this.out.isTTY) {
      this.#bar = new SingleBar({
        format: "{bar} {value}/{total} trials, {eta_formatted} left, {task}",
        clearOnComplete: true,
        hideCursor: true,
      });
      this.#bar.start(event.trials, before, { task: "" });
    }
  }

  #finishRound(event: Extract<TuneEvent, { type: "round-finished" }>): void {
    this.#bestCosts[this.#place(event.round.task)] = event.outcome.after;
    this.#line(roundLine(event, this.#tasks));
    for (const notice of event.notices) {
      this.#line(`  ${notice}`);
    }
    if (event.firstError !== null && event.outcome.after === null) {
      this.#line(
        `every program of task ${event.round.task} failed so far; the first error:\n${indent(event.firstError)}`,
      );
    }
    this.#rounds += 1;
    if (this.tableEvery > 0 && this.#rounds % this.tableEvery === 0) {
      this.#line(taskTable(this.#tasks, this.#bestCosts, this.#trials));
    }
  }

  #finish(event: Extract<TuneEvent, { type: "finished" }>): void {
    this.end();
    this.#line(taskTable(this.#tasks, event.bestCosts, this.#trials));
    const score = event.score === null ? "not known, as some task has no program that ran" : `${ms(event.score)} ms`;
    this.#line(
      `${describeStop(event.reason)}: ${event.trials} programs measured (${event.failures} failed) ` +
        `in ${event.seconds.toFixed(1)} s; estimated latency of all tasks ${score}`,
    );
  }

  #countTrial(place: number): void {
    this.#trials[place] = (this.#trials[place] ?? 0) + 1;
  }

  /** A task's place among the job's tasks. */
  #place(task: number): number {
    return this.#tasks.findIndex(({ id }) => id === task);
  }

  #line(text: string): void {
    // The bar is drawn again below the line at its next update.
    if (this.#bar) {
      this.out.write("\r\u001B[K");
    }
    this.out.write(`${text}\n`);
    this.#bar?.render();
  }
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
