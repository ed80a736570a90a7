import { setImmediate } from "node:timers/promises";
import TinyQueue from "tinyqueue";
import type { Recipe } from "../src/core/fast/recipe.js";
import type { OperationName } from "../src/protocol/operations/index.js";
import type { MeasuredEvent } from "../src/protocol/operations/measure.js";

/** Seconds that things take on a machine that is stood in for. */
export interface Seconds {
  /** Of a build: the median, and the logarithm's standard deviation; none takes more than the limit. */
  readonly build: number;
  readonly buildSpread: number;
  readonly buildLimit: number;
  /** Of a program on a device. */
  readonly run: number;
  /** Of a search by evolution, of one without, and of a training. */
  readonly search: number;
  readonly sample: number;
  readonly learn: number;
}

/** What there is of the machine. */
export interface StandIn {
  readonly builders: number;
  readonly devices: number;
  /** Builders stand still while a program is timed, as on a CPU all of whose cores time it. */
  readonly exclusive: boolean;
}

/** Time that passes when everybody waits, and then at once. */
export class StandInClock {
  now = 0;
  #order = 0;
  readonly #waking = new TinyQueue<{ readonly at: number; readonly order: number; readonly wake: () => void }>(
    [],
    (a, b) => a.at - b.at || a.order - b.order,
  );

  wait(seconds: number): Promise<void> {
    this.#order += 1;
    return new Promise((wake) => this.#waking.push({ at: this.now + seconds, order: this.#order, wake }));
  }

  /** Has time pass until some work is done. */
  async until<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (;;) {
      // Everything that needs no time happens first.
      await setImmediate();
      if (done) {
        return await settled;
      }
      const next = this.#waking.pop();
      if (!next) {
        throw new Error("All wait for something that nobody does.");
      }
      this.now = next.at;
      next.wake();
    }
  }
}

interface Program {
  readonly done: Promise<void>;
  readonly finish: () => void;
  held: boolean;
}

/**
 * Builders and devices as the engine has them (python/familyseer/measuring/engine.py): each takes what was there
 * first, builders what is to be measured now before what is built ahead.
 */
class StandInEngine {
  /** Seconds that devices were busy, together. */
  busySeconds = 0;
  #building = 0;
  #running = 0;
  readonly #toBuild: Program[] = [];
  readonly #built: Program[] = [];
  /** Until the next timing begins, and until the present one is over. */
  #timed = signal();
  #free = signal();

  constructor(
    private readonly clock: StandInClock,
    private readonly machine: StandIn,
    private readonly seconds: Seconds,
    private readonly draw: () => number,
  ) {}

  submit(): Program {
    const { given: done, give: finish } = signal();
    const program = { done, finish, held: true };
    this.#toBuild.push(program);
    this.#begin();
    return program;
  }

  release(program: Program): void {
    program.held = false;
    this.#begin();
  }

  #begin(): void {
    while (this.#building < this.machine.builders && this.#toBuild.length > 0) {
      const wanted = this.#toBuild.findIndex(({ held }) => !held);
      void this.#build(this.#toBuild.splice(Math.max(0, wanted), 1)[0] as Program);
    }
    for (let next = this.#nextToRun(); this.#running < this.machine.devices && next; next = this.#nextToRun()) {
      this.#built.splice(this.#built.indexOf(next), 1);
      void this.#run(next);
    }
  }

  #nextToRun(): Program | undefined {
    return this.#built.find(({ held }) => !held);
  }

  async #build(program: Program): Promise<void> {
    const { build, buildSpread, buildLimit } = this.seconds;
    this.#building += 1;
    let left = Math.min(buildLimit, build * Math.exp(buildSpread * this.draw()));
    while (left > 0) {
      if (this.machine.exclusive && this.#running > 0) {
        await this.#free.given;
      }
      const begun = this.clock.now;
      await (this.machine.exclusive ? Promise.race([this.clock.wait(left), this.#timed.given]) : this.clock.wait(left));
      // What rounding leaves is nothing.
      left = this.clock.now - begun < left - 1e-9 ? left - (this.clock.now - begun) : 0;
    }
    this.#building -= 1;
    this.#built.push(program);
    this.#begin();
  }

  async #run(program: Program): Promise<void> {
    this.#running += 1;
    this.#timed.give();
    this.#timed = signal();
    this.busySeconds += this.seconds.run;
    await this.clock.wait(this.seconds.run);
    this.#running -= 1;
    this.#free.give();
    this.#free = signal();
    program.finish();
    this.#begin();
  }
}

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give!: () => void;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

interface Asked {
  readonly task: number;
  readonly programs: number;
  readonly recipe: Recipe | null;
  readonly candidates: readonly number[];
}

/** A worker whose searches, builds and devices take their seconds on a stand-in clock; costs are made up. */
export class StandInWorker {
  readonly engine: StandInEngine;
  #candidates = 0;
  /** One request at a time, but for what is measured beside. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #programs = new Map<number, Program>();
  readonly #measured = new Map<number, number>();

  constructor(
    private readonly clock: StandInClock,
    machine: StandIn,
    private readonly seconds: Seconds,
    private readonly draw: (count: number) => number,
  ) {
    this.engine = new StandInEngine(clock, machine, seconds, () => this.#normal());
  }

  request(
    operation: OperationName,
    params: Asked,
    { onMeasured }: { readonly onMeasured?: (event: MeasuredEvent) => void } = {},
  ): Promise<unknown> {
    if (operation === "measure") {
      return this.#last.then(() => this.#measure(params, onMeasured ?? (() => undefined)));
    }
    const answer = this.#last.then(() => this.#answer(operation, params));
    this.#last = answer;
    return answer;
  }

  async #answer(operation: OperationName, { task, programs, recipe, candidates }: Asked): Promise<unknown> {
    const { search, sample, learn } = this.seconds;
    if (operation === "propose") {
      await this.clock.wait((recipe?.programs.evolution ?? 1) > 0 ? search : sample);
      this.#candidates += programs;
      return { candidates: Array.from({ length: programs }, (_, index) => this.#candidates - index), refusal: null };
    }
    if (operation === "prepare") {
      candidates.map((each) => this.#program(each));
      return {};
    }
    if (operation === "review") {
      return { accuracy: 0.5 + 0.3 * this.#uniform(), of: "round" };
    }
    if (operation === "learn") {
      await this.clock.wait(learn);
      return { records: this.#measured.get(task) ?? 0 };
    }
    throw new Error(`The stand-in worker does not do ${operation}.`);
  }

  async #measure({ task, candidates }: Asked, onMeasured: (event: MeasuredEvent) => void): Promise<unknown> {
    const programs = candidates.map((each) => this.#program(each));
    await Promise.all(
      programs.map(async (program) => {
        this.engine.release(program);
        await program.done;
        const before = this.#measured.get(task) ?? 0;
        this.#measured.set(task, before + 1);
        const cost = ((1 + (task % 5)) * 1e-4 * (0.2 + this.#uniform())) / (1 + before / 20);
        const nothing = { record: "", failure: null, message: null, device: null, origin: "evolution" } as const;
        const timed = { timing_seconds: this.seconds.run, waited: null, disturbed: false, timings: 1 };
        onMeasured({ type: "measured", cost, ...nothing, seconds: 0, ...timed });
      }),
    );
    return { measured: candidates.length, notices: [] };
  }

  #program(candidate: number): Program {
    const program = this.#programs.get(candidate) ?? this.engine.submit();
    this.#programs.set(candidate, program);
    return program;
  }

  #uniform(): number {
    return this.draw(1 << 20) / (1 << 20);
  }

  /** By Box and Muller. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#uniform())) * Math.cos(2 * Math.PI * this.#uniform());
  }
}
