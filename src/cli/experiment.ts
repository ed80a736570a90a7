import type { Command } from "commander";
import { EXPERIMENTS } from "../experiments/experiments.js";
import { example, type Finish } from "./command.js";

export function addExperiment(program: Command, finish: Finish): void {
  const command = program.command("experiment").description("reproduces an experiment of the paper");
  for (const [name, experiment] of Object.entries(EXPERIMENTS)) {
    command
      .command(name)
      .description(experiment.description)
      .option("--json", "print the data")
      .action(async ({ json }: { json?: boolean }) => {
        const { data, text } = await experiment.run();
        console.log(json ? JSON.stringify(data, null, 2) : text);
        finish(0);
      });
  }
  example(command, "familyseer experiment published");
}
