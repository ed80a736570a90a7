import TinyQueue from "tinyqueue";
import type { FastReason, FastSearch } from "../decider.js";
import { composeRecipe } from "./compose-recipe.js";
import type { GainRate } from "./gain-rate.js";
import type { CompleteFastOptions } from "./options.js";
import type { Outlooks } from "./outlooks.js";
import type { Origin } from "./recipe.js";
import type { StalledDescent } from "./stalled-descent.js";
import type { TaskStates } from "./task-states.js";

/** A task's expected gain as it was after so many of its looks; outdated when there were more. */
interface Ranked {
  readonly task: number;
  readonly looks: number;
  readonly rate: number;
}

/** Ranks the tasks that have a program by what a round on each is expected to gain. */
export class Ranking {
  /** Tasks that had their first look since the ranking was last used. */
  #newlyLookedAt: number[];
  #ranking = new TinyQueue<Ranked>([], mostFirst);

  constructor(
    private readonly options: CompleteFastOptions,
    private readonly trialsPerRound: number,
    private readonly states: TaskStates,
    private readonly rate: GainRate,
    private readonly outlooks: Outlooks,
    private readonly stalled: StalledDescent,
  ) {
    this.#newlyLookedAt = states.order.filter((id) => states.isMeasured(id));
  }

  /** A task has its first program. What it may gain is judged when it is known how far its siblings have come. */
  addLookedAt(task: number): void {
    this.#newlyLookedAt.push(task);
  }

  /** A task had another round. */
  add(task: number): void {
    this.#ranking.push(this.#ranked(task));
  }

  /** What bounds the tasks' gains has changed. */
  rankAnew(): void {
    const current = this.#ranking.data.filter((ranked) => this.#isCurrent(ranked));
    this.#ranking = new TinyQueue(
      current.map(({ task }) => this.#ranked(task)),
      mostFirst,
    );
  }

  /** Whether some tasks are yet to be judged. */
  get awaitsJudging(): boolean {
    return this.#newlyLookedAt.length > 0;
  }

  /** The round that is expected to gain most, of those on the tasks that are asked for; null if all of them are dead. */
  most(among: (task: number) => boolean = () => true): FastSearch | null {
    const [most, next] = this.#twoBest(among);
    if (!most) {
      return null;
    }
    const { task, rate } = most;
    const { family } = this.states.of(task);
    const { shareSchedules, descent, stalledDescent } = this.options;
    const donors = shareSchedules ? this.states.donors(task) : [];
    const origins: Origin[] = [];
    if (descent || (stalledDescent && this.stalled.takes(task))) {
      origins.push("descent");
    }
    if (family.carriedOver) {
      origins.push("earlier");
    }
    if (donors.length > 0) {
      origins.push("sibling");
    }
    origins.push("evolution");
    const programs = this.trialsPerRound;
    const recipe = composeRecipe(this.options, family, donors, family.shares.share(programs, origins));
    const reason: FastReason = { type: "expected-gain", rate, next: next?.rate ?? null, per: this.rate.per };
    return { type: "search", task, programs, reason, recipe };
  }

  #twoBest(among: (task: number) => boolean): Ranked[] {
    for (const task of this.#newlyLookedAt.splice(0)) {
      this.outlooks.judge(task);
      this.add(task);
    }
    // Under another objective than the sum a round on one task can change what all others gain.
    const ranking = this.options.objective === null ? this.#ranking : this.#rankedAnew();
    const best: Ranked[] = [];
    const putBack: Ranked[] = [];
    while (best.length < 2) {
      const ranked = ranking.pop();
      if (!ranked) {
        break;
      }
      if (this.#isCurrent(ranked)) {
        putBack.push(ranked);
        if (among(ranked.task)) {
          best.push(ranked);
        }
      }
    }
    for (const ranked of putBack) {
      ranking.push(ranked);
    }
    return best;
  }

  #rankedAnew(): TinyQueue<Ranked> {
    return new TinyQueue(
      this.states.measured.map((id) => this.#ranked(id)),
      mostFirst,
    );
  }

  #isCurrent({ task, looks }: Ranked): boolean {
    const state = this.states.of(task);
    return looks === state.looks && !state.dead;
  }

  #ranked(task: number): Ranked {
    const { looks } = this.states.of(task);
    return { task, looks, rate: this.rate.of(task, this.outlooks.expected(task), this.trialsPerRound) };
  }
}

/** Where rates are equal the task decides, so that no order of asking does. */
function mostFirst(a: Ranked, b: Ranked): number {
  return b.rate - a.rate || a.task - b.task;
}
