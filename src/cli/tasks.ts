import type { Command } from "@commander-js/extra-typings";
import { listTasks } from "../network/tasks.js";
import { inputsLine, table } from "../report/format.js";
import { widthOf } from "../report/screen.js";
import { example, type Finish, withNetworkOptions, withWorkerOptions } from "./command.js";
import { EXIT } from "./exit-code.js";

export function addTasks(program: Command, finish: Finish): void {
  const named = withNetworkOptions(program.command("tasks"))
    .description("list the tasks of a network")
    .option("--json", "print an array of objects");
  const command = withWorkerOptions(named).action(async (options) => {
    const { tasks, inputs } = await listTasks({ ...options, onNotice: (notice) => console.error(notice) });
    if (options.json) {
      const objects = tasks.map((task) => ({
        id: task.id,
        workloadKey: task.workloadKey,
        words: task.words,
        weight: task.weight,
        description: task.description,
        coreOperation: task.coreOperation,
        flops: task.flops,
      }));
      console.log(JSON.stringify(objects, null, 2));
    } else {
      const rows = tasks.map((task) => [
        task.id,
        task.words,
        task.coreOperation ?? "-",
        task.weight,
        task.flops < 0 ? "not counted" : task.flops,
      ]);
      console.log(inputsLine(inputs));
      console.log(table(["id", "task", "core operation", "weight", "flops"], rows, widthOf(process.stdout)));
    }
    finish(EXIT.done);
  });
  example(command, "familyseer tasks --model mobilenetv2_0.5 --target llvm --json");
}
