import { createHash, randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Families } from "../core/families.js";
import type { SearchPolicy } from "../core/search-policy.js";
import { counted } from "../counted.js";
import { DeadlineError, InvalidRequestError } from "../errors.js";
import type { CompleteTuneOptions } from "../options/defaults.js";
import type { Result } from "../protocol/operations/index.js";
import type { Basis } from "../records/journal.js";
import { libraryFolder } from "../worker/installation.js";
import type { FamilyWorkers } from "./family-workers.js";

/** Goes up when what features mean, or how files are written, changes: those of before are for others then. */
const FORMAT = 1;
/** How long a job that is to end at once waits until what it found is kept. */
const KEEP_MS = { usually: 20_000, cancelled: 2_000 };

type Recalled = Result<"recall">["families"][number];
type Taken = NonNullable<Basis["library"]>;

/** What a library is asked for, and by which workers. */
interface Asking {
  readonly options: CompleteTuneOptions;
  readonly policy: SearchPolicy;
  readonly families: Families | null;
  readonly workers: FamilyWorkers;
  readonly target: string;
  /** Null where programs do not run on this machine's CPU. */
  readonly threads: number | null;
}

/** The part of a library that is for one tuner, TVM, target, processor, threads and key of devices; files there say for what they are. */
interface Shelf {
  readonly folder: string;
  readonly made_for: string;
}

/**
 * What a job has to do with its user's library of earlier jobs: what it began with, and what it leaves when it ends. The workers read
 * and write it (python/familyseer/search/earlier_jobs.py).
 */
export class Library {
  private constructor(
    private readonly shelf: Shelf | null,
    private readonly workers: FamilyWorkers,
    /** For the journal; null without a library. */
    readonly taken: Taken | null,
    readonly notices: readonly string[],
  ) {}

  /**
   * Has each worker read what there is for its families, before they register. A job that goes on takes what it began with, by its
   * journal, as far as that is still there.
   *
   * @throws InvalidRequestError if its folder is a file.
   */
  static async open(asking: Asking, goesOn: { readonly library: Taken | null } | null): Promise<Library> {
    const { options, workers } = asking;
    const shelf = await shelfFor(asking);
    const before = goesOn?.library ?? null;
    const nothing = before ?? (shelf && { job: randomUUID(), jobs: [], families: [] });
    // Nothing to take where the user names other models, or where it began with nothing.
    if (shelf === null || options.loadModels !== null || (goesOn && !before?.jobs.length)) {
      return new Library(shelf, workers, nothing, []);
    }
    const answers = await recall(asking, shelf, before && before.jobs);
    const recalled = answers.flatMap(({ families }) => families);
    const jobs = [...new Set(recalled.flatMap((family) => family.jobs))];
    const families = recalled.filter(({ schedules }) => schedules > 0).map(({ name }) => name);
    const notices = [...words(recalled, jobs.length), ...answers.flatMap((answer) => answer.notices)];
    return new Library(shelf, workers, before ?? { job: randomUUID(), jobs, families }, notices);
  }

  /** The families that the job began with schedules for. */
  get families(): readonly string[] {
    return this.taken?.families ?? [];
  }

  /**
   * Has each worker add what the job found.
   *
   * @returns why something is not kept, a line each.
   */
  async keep(cancelled: boolean): Promise<string[]> {
    if (this.shelf === null || this.taken === null) {
      return [];
    }
    const params = { ...this.shelf, name: this.taken.job };
    // A signal of its own: that of the job would take the request back.
    const { signal } = new AbortController();
    const deadlineMs = cancelled ? KEEP_MS.cancelled : KEEP_MS.usually;
    try {
      const answers = await Promise.all(
        this.workers.all.map((worker) => worker.request("keep", params, { signal, deadlineMs })),
      );
      return answers.flatMap(({ notices }) => notices);
    } catch (error) {
      if (error instanceof DeadlineError) {
        return ["what was found is not kept for later jobs: the worker is still at something else"];
      }
      throw error;
    }
  }
}

/**
 * Null where there is none: in the reference mode; where it was turned off; where families are no core operations, which alone are the
 * same in other networks; where records of other targets count; and with a worker elsewhere, whose files are its own.
 */
async function shelfFor({ options, policy, workers, target, threads }: Asking): Promise<Shelf | null> {
  const { mode, library, keys, acceptOtherTargets, deviceKey } = options;
  const folder = mode === "fast" ? libraryFolder(library) : null;
  if (folder === null || policy.families !== "op" || keys !== undefined || acceptOtherTargets) {
    return null;
  }
  if ((await stat(folder).catch(() => null))?.isDirectory() === false) {
    throw new InvalidRequestError(`The library ${folder} is a file. Expected a folder, which may be new.`);
  }
  const { tuner, tvmVersion: tvm } = workers.first;
  // A home folder may be shared by machines, and a target need not name the processor.
  const cpu = threads === null ? null : (cpus()[0]?.model ?? null);
  const madeFor = JSON.stringify({ format: FORMAT, tuner, tvm, target, cpu, threads, device: deviceKey ?? null });
  const digest = createHash("sha256").update(madeFor).digest("hex").slice(0, 16);
  return { folder: join(folder, `${tuner}-${digest}`), made_for: madeFor };
}

async function recall(
  { options, families, workers }: Asking,
  shelf: Shelf,
  jobs: readonly string[] | null,
): Promise<Result<"recall">[]> {
  const wanted = [...(families ?? [])].map(([name, tasks]) => ({ name, tasks: [...tasks] }));
  return await Promise.all(
    workers.all.map((worker, number) =>
      worker.request("recall", {
        ...shelf,
        families: wanted.filter(({ tasks }) => tasks.every((task) => workers.numberOf(task) === number)),
        jobs: jobs && [...jobs],
        schedules: options.shareSchedules,
      }),
    ),
  );
}

function words(families: readonly Recalled[], jobs: number): string[] {
  const parts = families.flatMap(({ name, schedules, records }) => {
    const found = [...(schedules > 0 ? [counted(schedules, "schedule")] : []), ...(records > 0 ? ["a model"] : [])];
    return found.length > 0 ? [`${found.join(" and ")} for ${name}`] : [];
  });
  return parts.length === 0
    ? []
    : [
        `begins with ${parts.join(", ")}, from ${counted(jobs, "earlier job")} for this target; --no-library leaves them out`,
      ];
}
