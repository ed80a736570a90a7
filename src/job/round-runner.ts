import type { SearchTarget } from "../core/decider.js";
import { ORIGINS, type Origin, type Recipe } from "../core/fast/recipe.js";
import { CancelledError } from "../errors.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import { overlaps } from "../options/effect.js";
import type { Result } from "../protocol/operations/index.js";
import { type MeasuredEvent, measureDeadlineMs } from "../protocol/operations/measure.js";
import type { PairsOf } from "../protocol/operations/review.js";
import type { AppendOnlyFile } from "../records/append-only-file.js";
import type { JobDecider } from "./decider.js";
import type { Program, TuneEvent } from "./events.js";
import type { FamilyWorkers } from "./family-workers.js";
import { Recorder } from "./recorder.js";
import type { Begun } from "./resume.js";

/** Of a round that was not reviewed. */
const UNKNOWN: Result<"review"> = { accuracy: null, of: "round" };

/** What rounds work with. */
export interface RoundsOfJob {
  readonly options: CompleteTuneOptions;
  readonly workers: FamilyWorkers;
  readonly decider: JobDecider;
  readonly log: AppendOnlyFile;
  readonly journal: AppendOnlyFile;
  readonly emit: (event: TuneEvent) => void;
  /** Aborts when the job is to end. */
  readonly stopping: AbortSignal;
}

/** What came of a round. */
export interface RoundDone {
  readonly measured: readonly Program[];
  readonly notices: readonly string[];
  /** Share of the pairs it was judged by that the model had in order before it learnt them; null where it had no say. */
  readonly accuracy: number | null;
  /** Which pairs these were: of the round's programs with one another, or with earlier ones of the task. */
  readonly accuracyOf: PairsOf;
  readonly seconds: {
    readonly propose: number;
    readonly measure: number;
    readonly learn: number;
    readonly total: number;
  };
}

/** Has the workers do a job's rounds, one after another. */
export class RoundRunner {
  readonly #job: RoundsOfJob;
  /** Candidates of each task that were found while another was measured. */
  readonly #foundAhead = new Map<number, number[]>();
  /** What each worker searches while a round of another's is done. */
  readonly #ahead = new Map<number, Promise<void>>();
  /** Each worker's last training, which may still go on. It comes before any search that is asked for later. */
  readonly #learning = new Map<number, Promise<unknown>>();

  constructor(job: RoundsOfJob) {
    this.#job = job;
  }

  /**
   * One round, or what is left of it: propose, measure, review, learn. Every record is in the log before it counts. If the job
   * is to end meanwhile, what was measured until then.
   */
  async run(
    { task, programs, recipe }: SearchTarget & { readonly recipe: Recipe | null },
    before: Begun,
  ): Promise<RoundDone> {
    const { log, journal, emit } = this.#job;
    const begun = performance.now();
    const clock = () => before.seconds + (performance.now() - begun) / 1000;
    const phases = { propose: 0, measure: 0, learn: 0 };
    const measured: Program[] = [...before.measured];
    const timed = async <T>(phase: keyof typeof phases, work: Promise<T>): Promise<T> => {
      const started = performance.now();
      try {
        return await work;
      } finally {
        phases[phase] = (performance.now() - started) / 1000;
      }
    };
    const given = (notices: readonly string[], { accuracy, of }: Result<"review">) => ({
      measured,
      notices,
      accuracy,
      accuracyOf: of,
      seconds: { ...phases, total: clock() },
    });

    this.#lookAheadBeside(task);
    const left = programs - measured.length;
    let notices: readonly string[] = [];
    try {
      if (left > 0) {
        const rest = recipe && recipeWithout(recipe, measured);
        const { candidates, refusal } = await timed("propose", this.#candidates(task, left, rest));
        if (candidates.length === 0 && measured.length === 0) {
          return given(refusal === null ? [] : [`TVM can lower no program of task ${task}: ${refusal}`], UNKNOWN);
        }
        if (candidates.length > 0) {
          const recorder = new Recorder({
            log,
            journal,
            first: measured.length,
            clock,
            tell: ({ cost, failure, message, device, origin, disturbed, timings, timing_seconds: timingSeconds }) => {
              const program = { cost, failure, message, device, origin, disturbed };
              measured.push({ ...program, timingSeconds });
              emit({ type: "measured", task, ...program, timings });
            },
          });
          notices = await timed("measure", this.#measure(task, candidates, recorder));
        }
      }
      return given(notices, await timed("learn", this.#learn(task)));
    } catch (error) {
      if (error instanceof CancelledError) {
        // What was measured before counts.
        return given(notices, UNKNOWN);
      }
      throw error;
    }
  }

  /** Waits for the trainings and searches that still go on. Throws what went wrong in them, CancelledError among it. */
  async finish(): Promise<void> {
    await Promise.all([...this.#learning.values(), ...this.#ahead.values()]);
  }

  /**
   * How well the family's model had foreseen the round, on which it is then trained; where that disturbs no timing, while the
   * next round is decided and measured.
   */
  async #learn(task: number): Promise<Result<"review">> {
    const { workers, options } = this.#job;
    const [worker, number] = [workers.of(task), workers.numberOf(task)];
    const against = options.mode === "fast" && options.judgeByEarlier ? "earlier" : "round";
    const review = await worker.request("review", { task, against });
    await this.#learning.get(number);
    const learning = worker.request("learn", { task });
    this.#learning.set(number, learning);
    // What goes wrong in it is raised by who waits for it.
    learning.catch(() => undefined);
    // On a GPU it could meet the programs that are timed there.
    if (!overlaps(options) || options.trainDevice !== "cpu") {
      await learning;
    }
    return review;
  }

  /** Has candidates measured and recorded; what the devices have to tell. */
  async #measure(task: number, candidates: readonly number[], recorder: Recorder): Promise<readonly string[]> {
    const { workers, options, stopping } = this.#job;
    const { buildTimeout, runTimeout } = options;
    const deadlineMs = measureDeadlineMs(candidates.length, buildTimeout + runTimeout);
    // What cannot be written down is not measured either.
    const signal = AbortSignal.any([stopping, recorder.failed]);
    const onMeasured = (event: MeasuredEvent) => recorder.take(event);
    const measuring = workers
      .of(task)
      .request("measure", { task, candidates: [...candidates] }, { deadlineMs, signal, onMeasured });
    try {
      // A simulation is over before a search is.
      const ahead = overlaps(options) && !options.simulated ? this.#lookAhead(workers.numberOf(task)) : null;
      // What goes wrong in it is raised below, unless the measuring fails first.
      ahead?.catch(() => undefined);
      const { notices } = await measuring;
      await ahead;
      return notices;
    } finally {
      await recorder.done();
    }
  }

  /** The candidates of a round. What its worker still searches ahead comes first: it may be these. */
  async #candidates(task: number, programs: number, recipe: Recipe | null): Promise<Result<"propose">> {
    await this.#ahead.get(this.#job.workers.numberOf(task));
    return await this.#propose(task, programs, recipe);
  }

  /** Up to `programs` candidates, those found ahead first; none if the search space is exhausted. */
  async #propose(task: number, programs: number, recipe: Recipe | null): Promise<Result<"propose">> {
    const { workers } = this.#job;
    // A foresee round is to try the siblings' schedules; what was found ahead is of other origins, and waits for another round.
    const ahead = recipe && isOfSiblingsAlone(recipe) ? [] : (this.#foundAhead.get(task)?.splice(0, programs) ?? []);
    if (ahead.length === programs) {
      return { candidates: ahead, refusal: null };
    }
    const params = {
      task,
      programs: programs - ahead.length,
      recipe: recipe && { ...recipe, donors: [...recipe.donors] },
    };
    const { candidates, refusal } = await workers.of(task).request("propose", params);
    return { candidates: [...ahead, ...candidates], refusal };
  }

  /** Has the workers that have nothing to do with a round look ahead; those that still do so are left to it. */
  #lookAheadBeside(task: number): void {
    const { workers, options } = this.#job;
    for (const number of overlaps(options) ? workers.all.keys() : []) {
      if (number !== workers.numberOf(task) && !this.#ahead.has(number)) {
        const ahead = this.#lookAhead(number);
        this.#ahead.set(number, ahead);
        // What goes wrong in it is raised by who waits for it.
        ahead.then(
          () => this.#ahead.delete(number),
          () => undefined,
        );
      }
    }
  }

  /** Finds and builds the candidates of the round that will most likely be the next of a worker's. */
  async #lookAhead(number: number): Promise<void> {
    const { workers, decider } = this.#job;
    const next = await decider.likelyNext((task) => workers.numberOf(task) === number);
    if (!next) {
      return;
    }
    const { task, programs, recipe = null } = next;
    if ((this.#foundAhead.get(task)?.length ?? 0) >= programs) {
      return;
    }
    const { candidates } = await this.#propose(task, programs, recipe);
    this.#foundAhead.set(task, [...candidates, ...(this.#foundAhead.get(task) ?? [])]);
    await workers.of(task).request("prepare", { task, candidates });
  }
}

function isOfSiblingsAlone({ programs }: Recipe): boolean {
  return ORIGINS.every((origin) => origin === "sibling" || programs[origin] === 0);
}

/** Of a recipe what is left when some of its programs are measured. */
function recipeWithout(recipe: Recipe, measured: readonly Program[]): Recipe {
  const programs = Object.fromEntries(
    ORIGINS.map((origin) => {
      const done = measured.filter((each) => each.origin === origin).length;
      return [origin, Math.max(0, recipe.programs[origin] - done)] as const;
    }),
  ) as Record<Origin, number>;
  return { ...recipe, programs };
}
