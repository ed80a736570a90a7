import type { TunerName } from "../tuner-name.js";
import type { Families } from "./families.js";
import type { CostModelKind } from "./search-policy.js";

/** One cost model of the pool: which tasks it scores, and from how many records on it is trusted. */
export interface CostModelPlan {
  /** The family's name; `shared` where there are no families. */
  readonly name: string;
  readonly kind: CostModelKind;
  readonly tasks: readonly number[];
  /** Records before the model's scores are used; until then programs are drawn at random. */
  readonly warmUpRecords: number;
}

/** The name of the one model all tasks share when there are no families, as in TVM. */
export const SHARED_MODEL = "shared";

/** Of MetaSchedule's own model, in records of all tasks (s_tir/meta_schedule/cost_model/xgb_model.py). */
const METASCHEDULE_WARM_UP = 100;

/**
 * One cost model per family (FamilySeer, section 4.1), or TVM's single one, for all `tasks`, where there are no families. It
 * warms up for tasks x programs per round, as Ansor's; MetaSchedule's single one as TVM has it.
 */
export function planCostModels(
  tasks: readonly number[],
  families: Families | null,
  kind: CostModelKind,
  trialsPerRound: number,
  tuner: TunerName = "ansor",
): CostModelPlan[] {
  const groups = families ?? new Map([[SHARED_MODEL, tasks]]);
  return [...groups].map(([name, members]) => ({
    name,
    kind,
    tasks: members,
    warmUpRecords:
      families === null && tuner === "metaschedule" ? METASCHEDULE_WARM_UP : members.length * trialsPerRound,
  }));
}
