import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { InvalidRequestError } from "../errors.js";
import { type BestRecord, bestRecords } from "../records/best.js";
import { readJobEnd } from "../records/job-history.js";
import { logRecords } from "../records/log.js";
import { isSimulated } from "../records/simulated.js";
import { describeSkipped, SkippedLines } from "../records/skipped.js";
import { describeEnd, ms, table } from "../report/format.js";
import { example, type Finish } from "./command.js";

const SHOWN_KEY_LENGTH = 60;

export function addBest(program: Command, finish: Finish): void {
  const command = program
    .command("best")
    .description("show the best record of each task of a log")
    .argument("<log>", "log of a tuning")
    .option("--distill <file>", "write only these records into a new log")
    .option("--tvm-python <path>", "taken by every command; this one needs no Python")
    .option("--json", "print an array of objects")
    .action(async (log: string, { distill, json }: { distill?: string; json?: boolean }) => {
      const skipped = new SkippedLines();
      const best = await bestRecords(logRecords(log, skipped));
      for (const notice of [...describeSkipped(log, skipped.all), ...(await describeJob(log, best))]) {
        console.error(notice);
      }
      if (best.length === 0) {
        throw new InvalidRequestError(
          `The log ${log} holds no record. Expected a file in which a tuning has recorded programs.`,
        );
      }
      const simulated = best.filter(({ target }) => isSimulated(target)).length;
      if (simulated > 0) {
        console.error(`${simulated} of these ${best.length} tasks were simulated, not measured.`);
      }
      if (json) {
        const objects = best.map(({ workloadKey, target, cost, trials, failures }) => ({
          workload_key: workloadKey,
          target,
          seconds: cost,
          trials,
          failures,
        }));
        console.log(JSON.stringify(objects, null, 2));
      } else {
        const rows = best.map(({ workloadKey, cost, trials, failures }) => [
          workloadKey.slice(0, SHOWN_KEY_LENGTH),
          ms(cost),
          trials,
          failures,
        ]);
        console.log(table(["workload", "latency (ms)", "trials", "failed"], rows));
      }
      if (distill !== undefined) {
        const lines = best.flatMap(({ line }) => (line === null ? [] : [`${line}\n`]));
        await writeFile(distill, lines.join("")).catch((error: NodeJS.ErrnoException) => {
          throw new InvalidRequestError(
            `${distill} cannot be written (${error.code}). Choose a path you may write to.`,
          );
        });
        console.error(`${lines.length} records written to ${distill}`);
      }
      finish(0);
    });
  example(command, "familyseer best mobilenet.log --distill mobilenet.best.log");
}

/** Whether the job of a log has ended, and how many of its tasks have a program that ran. */
async function describeJob(log: string, best: readonly BestRecord[]): Promise<string[]> {
  const job = await readJobEnd(log);
  if (!job) {
    return [];
  }
  const covered = new Set(best.flatMap(({ workloadKey, cost }) => (cost === null ? [] : [workloadKey])));
  const count = job.tasks.filter((key) => covered.has(key)).length;
  return [
    `${count} of the job's ${job.tasks.length} tasks have a program that ran; its end: ${describeEnd(job.reason)}`,
  ];
}
