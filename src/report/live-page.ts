import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { TuneEvent } from "../job/events.js";
import { namedAs } from "../records/paths.js";
import { newLogAt } from "../records/place.js";
import { LiveRun } from "./live-run.js";
import { type Answer, LiveServer, text } from "./live-server.js";
import { renderPage } from "./page.js";
import { readRunsSoFar } from "./read-runs.js";
import { RunsSoFar } from "./run-so-far.js";

/** The page asks every two seconds: who looks is shown the end. */
const GRACE_MS = 3000;
/** News are gathered at most so often, however many pages ask, and in at most this share of the job's time. */
const FRESH_MS = 1000;
const SHARE_OF_TIME = 0.02;

/** What the job to be shown is. */
export interface Shown {
  readonly log: string;
  /** As the journal will have them. */
  readonly options: object;
  /** 0, the default, for a free one. */
  readonly port?: number;
}

/** The report's page of a job that still runs, served on loopback under an address that nobody can guess. */
export class LivePage {
  readonly #key = randomBytes(16).toString("base64url");
  #news: { readonly until: number; readonly version: number; readonly content: Buffer } | null = null;
  #server: LiveServer | null = null;

  private constructor(private readonly run: LiveRun) {}

  /**
   * To be opened before the job begins, as its log is read.
   *
   * @throws InvalidRequestError if there is a log that is none, or the port cannot be had.
   */
  static async open({ log, options, port = 0 }: Shown): Promise<LivePage> {
    const there = await newLogAt(log);
    const before = there && (await stat(there).catch(() => null)) ? await readRunsSoFar(there) : new RunsSoFar();
    const page = new LivePage(new LiveRun(basename(resolve(namedAs(log))), before, { ...options }));
    page.#server = await LiveServer.listen(port, (path) => page.#answer(path));
    return page;
  }

  get address(): string {
    return `http://127.0.0.1:${this.#server?.port}/${this.#key}/`;
  }

  /** The events as they come, each shown; closes the page when they end. */
  async *following(events: AsyncIterable<TuneEvent>): AsyncGenerator<TuneEvent, void, void> {
    try {
      for await (const event of events) {
        this.run.show(event);
        yield event;
      }
    } catch (error) {
      this.run.fail(error);
      throw error;
    } finally {
      await this.close();
    }
  }

  /** At once, or, if someone looks, after a moment in which the page is told of the end. */
  async close(): Promise<void> {
    await this.#server?.close(GRACE_MS);
  }

  async #answer(path: string): Promise<Answer> {
    const [, key, rest] = /^\/([^/]*)\/(.*)$/.exec(path) ?? [];
    if (key !== this.#key) {
      return text(404, "There is nothing here: the whole of the address that the job printed is needed.");
    }
    if (rest === "") {
      const { html, policy } = await renderPage(this.run.pageData());
      return { status: 200, type: "text/html; charset=utf-8", content: html, policy };
    }
    const after = /^data\?after=(\d+)$/.exec(rest ?? "")?.[1];
    if (after === undefined) {
      return text(404, "There is nothing here.");
    }
    const { version, content } = this.#latest();
    return Number(after) === version ? text(204, "") : { status: 200, type: "application/json", content };
  }

  /** One for all who ask, so that readers cost no memory of their own. */
  #latest(): { readonly version: number; readonly content: Buffer } {
    const { version, ended } = this.run;
    const begun = performance.now();
    if (!this.#news || (this.#news.version !== version && (ended || begun >= this.#news.until))) {
      const content = Buffer.from(JSON.stringify(this.run.pageData()));
      const took = performance.now() - begun;
      this.#news = { until: begun + Math.max(FRESH_MS, took / SHARE_OF_TIME), version, content };
    }
    return this.#news;
  }
}
