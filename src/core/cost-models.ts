import type { Families } from "./families.js";
import type { CostModelKind } from "./search-policy.js";

/** One cost model of the pool: which tasks it scores, and from how many records on it is trusted. */
export interface CostModelPlan {
  /** The family's name; `shared` where there are no families. */
  readonly name: string;
  readonly kind: CostModelKind;
  readonly tasks: readonly number[];
  /** Records before the model's scores are used (tasks x programs per round); until then programs are drawn at random. */
  readonly warmUpRecords: number;
}

/** The name of the one model all tasks share when there are no families, as in TVM. */
export const SHARED_MODEL = "shared";

/** One cost model per family (FamilySeer, section 4.1), or TVM's single one, for all `tasks`, where there are no families. */
export function planCostModels(
  tasks: readonly number[],
  families: Families | null,
  kind: CostModelKind,
  trialsPerRound: number,
): CostModelPlan[] {
  const groups = families ?? new Map([[SHARED_MODEL, tasks]]);
  return [...groups].map(([name, members]) => ({
    name,
    kind,
    tasks: members,
    warmUpRecords: members.length * trialsPerRound,
  }));
}
