import { FamilySeerError } from "../../errors.js";
import { groupFamilies } from "../families.js";
import { parseSearchPolicy, type Strategy } from "../search-policy.js";
import { measuredOrNull, type Task } from "../task.js";
import { MetaScheduler } from "./meta-scheduler.js";
import { minstdDraw } from "./minstd.js";
import { Scheduler } from "./scheduler.js";

/** A scripted job: instead of measuring, the k-th round on task i gives the first costs of `rounds[i][k]`. */
export interface Scenario {
  readonly tasks: readonly Task[];
  readonly trials: number;
  readonly trialsPerRound: number;
  readonly strategy: Strategy;
  readonly searchPolicy: string;
  readonly earlyStopping: number | null;
  readonly taskEarlyStopping: number | null;
  readonly giveUpUnmeasured: boolean;
  readonly rounds: readonly (readonly (readonly number[])[])[];
}

/** The same for a scheduler of MetaSchedule. */
export interface MetaScenario extends Pick<Scenario, "tasks" | "trials" | "trialsPerRound" | "strategy" | "rounds"> {
  readonly trialsPerTask: number | null;
  readonly alpha: number;
  readonly backwardWindow: number;
  readonly seed: number;
}

/** Every decision of a scheduler on a scenario, and its state at the end. */
export interface Trace {
  /** The rounds in order: task, programs asked for, programs measured. */
  readonly calls: readonly (readonly [number, number, number])[];
  /** The message of the error the job ended with; null where it ended well. */
  readonly error: string | null;
  /** Draws among equals; each took the first. */
  readonly ties: number;
  readonly trials: number;
  readonly rounds: readonly number[];
  readonly bestRounds: readonly number[];
  readonly deadTasks: readonly number[];
  readonly bestCosts: readonly number[];
  readonly score: number;
  /** Only where the job had families. */
  readonly families: Readonly<Record<string, readonly number[]>> | null;
}

/** Runs a scenario through the real scheduler. */
export async function replay(scenario: Scenario): Promise<Trace> {
  const policy = parseSearchPolicy(scenario.searchPolicy);
  const families = policy.families ? groupFamilies(scenario.tasks, policy.families) : null;
  let ties = 0;
  const calls: [number, number, number][] = [];
  const empty = { ties, trials: 0, rounds: [], bestRounds: [], deadTasks: [], bestCosts: [], score: Number.NaN };
  const asRecord = families ? Object.fromEntries(families) : null;

  let scheduler: Scheduler;
  try {
    scheduler = new Scheduler({
      ...scenario,
      families,
      draw: () => {
        ties += 1;
        return 0;
      },
    });
  } catch (error) {
    if (error instanceof FamilySeerError) {
      return { ...empty, calls, error: error.message, families: asRecord };
    }
    throw error;
  }

  await play(scenario, scheduler, calls);
  const { trials, rounds, bestRounds, deadTasks, bestCosts, score } = scheduler;
  return { calls, error: null, ties, trials, rounds, bestRounds, deadTasks, bestCosts, score, families: asRecord };
}

/** What a scenario's job comes to by {@link MetaScheduler}. */
export type MetaTrace = Pick<Trace, "calls" | "trials" | "rounds" | "deadTasks" | "bestCosts" | "score">;

/** Runs a scenario through the real scheduler, which draws by the scenario's seed. */
export async function replayMeta(scenario: MetaScenario): Promise<MetaTrace> {
  const calls: [number, number, number][] = [];
  const scheduler = new MetaScheduler({ ...scenario, draw: minstdDraw(scenario.seed) });
  await play(scenario, scheduler, calls);
  const { trials, rounds, deadTasks, bestCosts, score } = scheduler;
  return { calls, trials, rounds, deadTasks, bestCosts, score };
}

/** Does all that a scheduler asks for, and notes it. */
async function play(
  { tasks, rounds }: Pick<Scenario, "tasks" | "rounds">,
  scheduler: Pick<Scheduler | MetaScheduler, "next" | "observe">,
  calls: [number, number, number][],
): Promise<void> {
  const searched = tasks.map(() => 0);
  for (let action = await scheduler.next(); action.type === "search"; action = await scheduler.next()) {
    const { task, programs } = action;
    const round = searched[task] ?? 0;
    searched[task] = round + 1;
    const costs = (rounds[task]?.[round] ?? []).slice(0, programs);
    await scheduler.observe(costs.map((cost) => ({ cost: measuredOrNull(cost) })));
    calls.push([task, programs, costs.length]);
  }
}
