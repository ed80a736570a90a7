import type { Command } from "@commander-js/extra-typings";
import { groupFamilies } from "../core/families.js";
import { defaultPolicy, parseSearchPolicy } from "../core/search-policy.js";
import { InvalidRequestError } from "../errors.js";
import { listTasks } from "../network/tasks.js";
import { example, type Finish, withNetworkOptions, withWorkerOptions } from "./command.js";
import { EXIT } from "./exit-code.js";

export function addFamilies(program: Command, finish: Finish): void {
  const named = withNetworkOptions(program.command("families"))
    .description("show which tasks of a network form families")
    .option("--search-policy <name>", "search policy with families (default: the tuner's .xgb.family_op)")
    .option("--json", "print an object from family name to task ids");
  const command = withWorkerOptions(named).action(async (options) => {
    const { tuner = null, searchPolicy = defaultPolicy(tuner ?? "ansor") } = options;
    const { families: algorithm, name, search, costModel } = parseSearchPolicy(searchPolicy, tuner);
    if (algorithm === null) {
      throw new InvalidRequestError(
        `The search policy ${name} has no families. Expected one such as ${search}.${costModel}.family_op.`,
      );
    }
    const families = groupFamilies(
      (await listTasks({ ...options, onNotice: (notice) => console.error(notice) })).tasks,
      algorithm,
    );
    if (options.json) {
      console.log(JSON.stringify(Object.fromEntries(families)));
    } else {
      for (const [family, ids] of families) {
        console.log(`family group : ${family} --- [${ids.join(", ")}]`);
      }
    }
    finish(EXIT.done);
  });
  example(command, "familyseer families --model mobilenetv2_0.5 --target llvm --search-policy sketch.xgb.family_op");
}
