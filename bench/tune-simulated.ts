import { Command } from "@commander-js/extra-typings";
import { exitCodeOf } from "../src/cli/exit-code.js";
import { optionsFrom, withAllOptions } from "../src/cli/flags.js";
import { tune } from "../src/index.js";

/**
 * A side of bench:time-to-latency on the simulated GPU: `familyseer tune --json`, which itself only measures, with its
 * options. Simulated programs take no time, so gains are counted by the program.
 */
const command = withAllOptions(new Command("tune-simulated")).option("--json").parse();
const { json: _json, ...flags } = command.opts();
const options = optionsFrom(flags);
let code = 0;
try {
  for await (const event of tune(
    options.mode === "fast" ? { ...options, gainPerSecond: false, simulated: true } : { ...options, simulated: true },
  )) {
    console.log(JSON.stringify(event));
  }
} catch (error) {
  code = exitCodeOf(error);
}
process.exit(code);
