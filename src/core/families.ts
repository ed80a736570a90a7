import { InvalidRequestError } from "../errors.js";
import type { FamilyAlgorithm } from "./search-policy.js";
import type { Task } from "./task.js";

/** Family name to the numbers of its tasks, both in the order of the tasks (FamilySeer, paper section 4.1). */
export type Families = ReadonlyMap<string, readonly number[]>;

/**
 * Groups tasks into families: `op` by core operation, `hash` by structure, `ind` each task its own. A task
 * that has no `id` is known by its place among them.
 *
 * @throws InvalidRequestError for a task that the algorithm can name no family for.
 */
export function groupFamilies(
  tasks: readonly (Task & { readonly id?: number })[],
  algorithm: FamilyAlgorithm,
): Families {
  const families = new Map<string, number[]>();
  for (const [place, task] of tasks.entries()) {
    const { id = place } = task;
    const name = familyName(task, id, algorithm);
    const members = families.get(name);
    if (members) {
      members.push(id);
    } else {
      families.set(name, [id]);
    }
  }
  return families;
}

function familyName(task: Task, id: number, algorithm: FamilyAlgorithm): string {
  switch (algorithm) {
    case "op":
      return task.coreOperation ?? operationFromDescription(task, id);
    case "hash":
      return task.structure;
    case "ind":
      return String(id);
  }
}

/** FamilySeer's own rule, which only descriptions spelled as in its fork (`fused_nn.conv2d_add_3`) make sense of. */
function operationFromDescription(task: Task, id: number): string {
  const operation = task.description.split("_")[1];
  if (operation === undefined) {
    throw new InvalidRequestError(
      `Task ${id} has no core operation, and its description "${task.description}" has no second word to take in its place. ` +
        "Give the task a core operation, or form families by hash or ind.",
    );
  }
  return operation;
}
