/** When a job of a run began and when its journal was last written, in seconds since 1970. */
export interface JobTime {
  readonly start: number;
  end: number;
}

/** A record's timestamp is cut to whole seconds. */
const RESOLUTION = 1;

/** Seconds of tuning at a moment: the time between the jobs that wrote a log does not count. */
export class WorkTime {
  /** What came before the first job of the journal, or all of it if there is none. */
  #before: JobTime | null = null;

  constructor(private readonly jobs: readonly JobTime[]) {}

  /** Of a moment in seconds since 1970. To be asked in the order of the log. */
  at(moment: number): number {
    const job = this.jobs.findLastIndex(({ start }) => start <= moment + RESOLUTION);
    const current = this.jobs[job];
    if (current) {
      return this.#until(job) + Math.max(0, moment - current.start);
    }
    this.#before ??= { start: moment, end: moment };
    this.#before.end = Math.max(this.#before.end, moment);
    return moment - this.#before.start;
  }

  get total(): number {
    return this.#until(this.jobs.length);
  }

  #until(job: number): number {
    const jobs = [...(this.#before ? [this.#before] : []), ...this.jobs.slice(0, job)];
    return jobs.reduce((sum, { start, end }) => sum + end - start, 0);
  }
}
