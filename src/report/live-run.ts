import type { NamedTask, TuneEvent } from "../job/events.js";
import { compareRuns } from "./comparison.js";
import { describeEnd, describeReason, describeStop } from "./format.js";
import type { Live, PageData } from "./page-data.js";
import type { RunSoFar, RunsSoFar } from "./run-so-far.js";

type Options = Readonly<Record<string, unknown>>;

/** What the page of a running job shows: what its log held before, and what the job tells. */
export class LiveRun {
  #version = 0;
  #state: Live["state"] = "starting";
  #words = "Python, TVM and the tasks are being loaded.";
  #measured = 0;
  #trials = 0;
  /** By their numbers in the network. */
  #tasks: ReadonlyMap<number, NamedTask> = new Map();
  #run: RunSoFar | null = null;

  /**
   * @param name of the log
   * @param before what the log holds already
   * @param options of the job, as its journal will have them
   */
  constructor(
    private readonly name: string,
    private readonly before: RunsSoFar,
    private readonly options: Options,
  ) {}

  get version(): number {
    return this.#version;
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  pageData(): PageData {
    const ended = this.ended ? this.#words : "not yet";
    return {
      ...compareRuns(this.#run ? [{ ...this.#run.named(this.name, this.before.notices), ended }] : []),
      title: this.name,
      live: {
        version: this.#version,
        state: this.#state,
        words: this.#words,
        measured: this.#measured,
        trials: this.#trials,
      },
    };
  }

  show(event: TuneEvent): void {
    const time = new Date().toISOString();
    this.#version += 1;
    switch (event.type) {
      case "started":
        this.#state = "running";
        this.#trials = event.trials;
        this.#tasks = new Map(event.tasks.map((task) => [task.id, task]));
        this.#run = this.before.of(event.target);
        this.#run.addEntry(
          event.resumed
            ? { type: "resumed", time, trials: event.trials }
            : {
                ...event,
                time,
                options: { ...this.options, searchPolicy: event.searchPolicy },
                tasks: [...event.tasks],
              },
        );
        this.#measured = event.before.programs.reduce((sum, each) => sum + each, 0);
        break;
      case "ended-before":
        this.#end(describeEnd(event.reason));
        break;
      case "round-started":
        this.#words = `Round ${event.round.index}: ${this.#tasks.get(event.round.task)?.words}, ${describeReason(event.round.reason)}`;
        break;
      case "measured":
        this.#measured += 1;
        this.#run?.addRecord({
          workloadKey: this.#tasks.get(event.task)?.workloadKey ?? "",
          cost: event.cost,
          timestamp: Date.parse(time) / 1000,
        });
        break;
      case "round-finished":
        this.#run?.addEntry({ ...event, time, costs: [...event.costs], notices: [...event.notices] });
        break;
      case "finished":
        this.#run?.addEntry({ ...event, time });
        this.#end(describeStop(event.reason));
        break;
    }
  }

  /** The job ended without having said so. */
  fail(error: unknown): void {
    this.#version += 1;
    this.#end(error instanceof Error ? error.message : String(error));
  }

  #end(words: string): void {
    this.#state = "ended";
    this.#words = words;
  }
}
