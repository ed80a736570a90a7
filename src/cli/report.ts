import { writeFile } from "node:fs/promises";
import type { Command } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../errors.js";
import { isReadWith, pageOf } from "../records/paths.js";
import { logAt } from "../records/place.js";
import { readReport, renderPage } from "../report/page.js";
import { widthOf } from "../report/screen.js";
import { wrapped } from "../report/text.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

export function addReport(program: Command, finish: Finish): void {
  const command = program
    .command("report")
    .description("make a page of one or several logs: latency, time, families, decisions")
    .argument("<log...>", "logs of tunings, or folders of databases; the first is what the others are compared with")
    .option("--out <file>", "the page (default: the first log's name with .html)")
    .option("--tvm-python <path>", "taken by every command; this one needs no Python")
    .option("--json", "print an object: the page's path and its notes")
    .action(async (named, { out: asked, json }) => {
      const logs = await Promise.all(named.map(logAt));
      const out = asked ?? pageOf(logs[0] ?? "");
      if (logs.some((log) => isReadWith(log, out))) {
        throw new InvalidRequestError(`--out ${out} is a file that the page is made from. Name another.`);
      }
      const data = await readReport(logs);
      await writeFile(out, (await renderPage(data)).html).catch((error: NodeJS.ErrnoException) => {
        throw new InvalidRequestError(`${out} cannot be written (${error.code}). Choose a path you may write to.`);
      });
      for (const notice of json ? [] : data.notices) {
        console.error(wrapped(notice, widthOf(process.stderr)));
      }
      console.log(json ? JSON.stringify({ page: out, notices: data.notices }, null, 2) : out);
      finish(EXIT.done);
    });
  example(command, "familyseer report tvm.log familyseer.log --out comparison.html");
}
