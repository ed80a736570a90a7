import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../errors.js";
import { type BestRecord, bestRecords } from "../records/best.js";
import { type JobEnd, readJobEnd } from "../records/job-history.js";
import { logRecords } from "../records/log.js";
import { isDatabase, isReadWith, workloadsOf } from "../records/paths.js";
import { logAt, newLogOf, tunerOf } from "../records/place.js";
import { describeSkipped, SkippedLines } from "../records/skipped.js";
import { describeWorkload, parseWorkload } from "../records/workload.js";
import { describeEnd, ms, table } from "../report/format.js";
import { widthOf } from "../report/screen.js";
import { isSimulated } from "../target.js";
import { tunerWords } from "../tuner-name.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

export function addBest(program: Command, finish: Finish): void {
  const command = program
    .command("best")
    .description("show the best record of each task of a log, what costs the network most first")
    .argument("<log>", "log of a tuning, or the folder of a database")
    .option("--distill <file>", "write only these records into a new log; of a database, into a new folder")
    .option("--tvm-python <path>", "taken by every command; this one needs no Python")
    .option("--json", "print an array of objects")
    .action(async (named, { distill, json }) => {
      const log = await logAt(named);
      if (distill !== undefined && isReadWith(log, distillTo(log, distill))) {
        throw new InvalidRequestError(`--distill ${distill} is what the records are read from. Name another.`);
      }
      const skipped = new SkippedLines();
      const records = await bestRecords(logRecords(log, skipped));
      const job = await readJobEnd(log);
      for (const notice of [...describeSkipped(log, skipped.all), ...describeJob(job, records)]) {
        console.error(notice);
      }
      if (records.length === 0) {
        throw new InvalidRequestError(
          `The log ${log} holds no record. Expected a file in which a tuning has recorded programs.`,
        );
      }
      const best = tasksOf(records, job);
      const tuner = job?.tuner ?? tunerOf(log) ?? null;
      const simulated = best.filter(({ target }) => isSimulated(target)).length;
      if (simulated > 0) {
        console.error(`${simulated} of these ${best.length} tasks were simulated, not measured.`);
      }
      if (json) {
        console.log(
          JSON.stringify(
            best.map((each) => ({ ...toJson(each), tuner })),
            null,
            2,
          ),
        );
      } else {
        const several = new Set(best.map(({ target }) => target)).size > 1;
        const rows = best.map(({ words, target, cost, weight, inNetwork, trials, failures }) => [
          words,
          ...(several ? [target] : []),
          ms(cost),
          weight ?? "-",
          ms(inNetwork),
          trials,
          failures,
        ]);
        const heads = [
          "task",
          ...(several ? ["target"] : []),
          "latency (ms)",
          "weight",
          "x weight (ms)",
          "trials",
          "failed",
        ];
        console.log(table(heads, rows, widthOf(process.stdout)));
      }
      if (distill !== undefined) {
        const lines = records.flatMap(({ line }) => (line === null ? [] : [`${line}\n`]));
        await write(log, distillTo(log, distill), lines).catch((error: NodeJS.ErrnoException) => {
          throw new InvalidRequestError(
            `${distill} cannot be written (${error.code}). Choose a path you may write to.`,
          );
        });
        console.error(`${lines.length} records written to ${distill}`);
      }
      finish(EXIT.done);
    });
  example(command, "familyseer best mobilenet.log --distill mobilenet.best.log");
}

/** The file of records that some of a log's are written to: of a database one of a database, which may be named by its folder. */
function distillTo(log: string, distill: string): string {
  return isDatabase(log) ? newLogOf("metaschedule", distill) : distill;
}

/** Writes lines of a log; of a database with all workloads, so that the lines go on naming theirs. */
async function write(log: string, to: string, lines: readonly string[]): Promise<void> {
  if (isDatabase(log)) {
    await mkdir(dirname(to), { recursive: true });
    await copyFile(workloadsOf(log), workloadsOf(to));
  }
  await writeFile(to, lines.join(""));
}

/** A task's best record with what is known of the task. */
interface BestOfTask extends BestRecord {
  readonly words: string;
  /** What the journal beside the log calls it; null without one. */
  readonly operation: string | null;
  readonly family: string | null;
  /** How often the network runs it; null where that is not known. */
  readonly weight: number | null;
  /** Seconds in a run of the network; null where one or the other is not known. */
  readonly inNetwork: number | null;
}

/** What costs the network most comes first, by latency alone where the weight is not known; what never ran comes last. */
function tasksOf(records: readonly BestRecord[], job: JobEnd | null): BestOfTask[] {
  const tasks = records.map((record) => {
    const { workloadKey, cost } = record;
    const known = job?.described.get(workloadKey);
    const weight = known?.weight ?? null;
    return {
      ...record,
      words: known?.words ?? describeWorkload(workloadKey),
      operation: known?.words ?? null,
      family: known?.family ?? null,
      weight,
      inNetwork: cost === null || weight === null ? null : cost * weight,
    };
  });
  return tasks.sort((a, b) => (b.inNetwork ?? b.cost ?? -1) - (a.inNetwork ?? a.cost ?? -1));
}

function toJson({
  workloadKey,
  target,
  operation,
  family,
  weight,
  cost,
  inNetwork,
  trials,
  failures,
}: BestOfTask): object {
  const { name = null, tensors = null } = parseWorkload(workloadKey) ?? {};
  return {
    workloadKey,
    target,
    operation,
    family,
    name,
    tensors,
    weight,
    seconds: cost,
    weightedSeconds: inNetwork,
    trials,
    failures,
  };
}

/** Whether the job of a log has ended, and how many of its tasks have a program that ran. */
function describeJob(job: JobEnd | null, records: readonly BestRecord[]): string[] {
  if (!job) {
    return [];
  }
  const covered = new Set(records.flatMap(({ workloadKey, cost }) => (cost === null ? [] : [workloadKey])));
  const count = job.tasks.filter((key) => covered.has(key)).length;
  return [
    `${count} of the job's ${job.tasks.length} tasks have a program that ran; its end: ${describeEnd(job.reason)}; ` +
      `tuned by ${tunerWords(job.tuner)}`,
  ];
}
