/**
 * Cost of a task of which no program ran yet, in seconds: TVM's own mark, also in the records of programs that failed. Its
 * schedulers put this number into the objective (`best_costs` in auto_scheduler/task_scheduler.py), so decisions agree with
 * theirs only if ours do too.
 */
export const UNMEASURED_COST = 1e10;

/** A subgraph to tune, as far as deciding needs to know it. */
export interface Task {
  /** TVM's description of the task, e.g. `vm_mod_fused_nn_conv2d_add_nn_relu_5`. */
  readonly description: string;
  /** Equal for the same computation, shapes and types: `["<hash>", shape, ...]`. */
  readonly workloadKey: string;
  /** A hash of what is computed: equal for tasks that differ in their shapes alone. */
  readonly structure: string;
  /** A hash of what the stage computes that is tiled, kernel and strides included; left out where it is not known. */
  readonly tiledStage?: string;
  /** How often the network runs the task. */
  readonly weight: number;
  /** Floating-point operations of one run; -1 where TVM could not count them. */
  readonly flops: number;
  /** Relay's name of the operation that dominates the task, e.g. `nn.conv2d`; null where it is not known. */
  readonly coreOperation: string | null;
  /** The values of `auto_scheduler_task_scheduler_tag` among the DAG's operations, in order. */
  readonly similarityTags: readonly string[];
}

/** A best cost as it is told: null while no program ran. */
export function measuredOrNull(cost: number): number | null {
  return cost === UNMEASURED_COST ? null : cost;
}
