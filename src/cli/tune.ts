import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { requireRan } from "../job/attempts.js";
import type { TuneEvent } from "../job/events.js";
import { Tuner } from "../job/tuner.js";
import { GROUPS } from "../options/entry.js";
import { LivePage } from "../report/live-page.js";
import { TuneDisplay } from "../report/tune-display.js";
import { example, type Finish, wholeNumber } from "./command.js";
import { optionsFrom, withAllOptions } from "./flags.js";
import { interruptible } from "./interrupt.js";

export function addTune(program: Command, finish: Finish): void {
  const command = withAllOptions(program.command("tune").description("tune a network"))
    .optionsGroup(GROUPS.usual)
    .helpOption("-h, --help", "display help for command")
    .option("--page [port]", "serve the report's page to browsers of this machine while the job runs", portNumber)
    .option("--table-every <n>", "rounds between task tables; 0: only at the end", wholeNumber, 10)
    .addOption(new Option("--quiet", "print the end and what went wrong, nothing else").conflicts(["verbose", "json"]))
    .option(
      "--verbose",
      "print every program, the seconds of each phase, and what the worker prints, as TVM's warnings",
    )
    .option("--json", "print every event as a line of JSON instead")
    .action(async ({ tableEvery, json, quiet, verbose, page, ...flags }) => {
      const display = new TuneDisplay(process.stdout, {
        tableEvery,
        detail: quiet ? "quiet" : verbose ? "verbose" : "usual",
      });
      const aside = (line: string) => display.aside(line);
      const options = { ...optionsFrom(flags), ...(verbose ? { onOutput: aside } : {}) };
      const run = async (signal: AbortSignal) => {
        const tuner = new Tuner({ ...options, signal });
        for await (const event of page === undefined ? tuner.events() : await onPage(tuner, page)) {
          if (json) {
            console.log(JSON.stringify(event));
          } else {
            display.show(event);
          }
          requireRan(event, options.log);
        }
      };
      try {
        finish(await interruptible(run, () => display.end(), aside));
      } finally {
        display.end();
      }
    });
  example(command, "familyseer tune --model mobilenetv2_0.5 --target native --trials 2000 --log mobilenet.log");
}

/** The job's events, which a page shows too; its address goes where no event does. */
async function onPage(tuner: Tuner, port: number | true): Promise<AsyncIterable<TuneEvent>> {
  const { signal: _signal, ...options } = tuner.options;
  const page = await LivePage.open({ log: options.log, options, port: port === true ? 0 : port });
  console.error(`live page: ${page.address}`);
  return page.following(tuner.events());
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) {
    throw new InvalidArgumentError("Expected a port, at most 65535.");
  }
  return port;
}
