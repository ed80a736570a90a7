import type { Writable } from "node:stream";
import progress, { type MultiBar, type Options, type Params, type SingleBar } from "cli-progress";
import { shortened, wrapped } from "./text.js";

export interface Output extends Writable {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Of a terminal that does not say how wide it is. */
const USUAL_WIDTH = 80;
const WIDEST_BAR = 40;
const CLEAR_BELOW = "\u001B[J";
const NO_WRAPPING = "\u001B[?7l";
const WRAPPING = "\u001B[?7h";

/** Columns of a terminal; null for anything else, which has no limit. */
export function widthOf({ isTTY, columns }: Pick<Output, "isTTY" | "columns">): number | null {
  return isTTY ? columns || USUAL_WIDTH : null;
}

/**
 * Lines that stay, and below them, on a terminal that can draw it, a progress bar that does not. On a terminal lines are
 * as wide as it is and break between words; anywhere else they are as they come.
 */
export class Screen {
  readonly #environment: NodeJS.ProcessEnv;
  #bars: MultiBar | null = null;
  #bar: SingleBar | null = null;
  #advanced = false;

  constructor(
    private readonly out: Output,
    environment: NodeJS.ProcessEnv = process.env,
  ) {
    this.#environment = environment;
  }

  /** Columns of a line; null where there is no limit. */
  get width(): number | null {
    return widthOf(this.out);
  }

  line(text: string): void {
    const whole = `${wrapped(text, this.width)}\n`;
    if (this.#bars) {
      // The library draws it where the bar was, and the bar below it.
      this.#bars.log(whole);
      this.#bars.update();
    } else {
      this.out.write(whole);
    }
  }

  /** A line on what goes on beside: above the bar where there is one, else on standard error. */
  aside(text: string): void {
    if (this.#bars) {
      this.line(text);
    } else {
      console.error(text);
    }
  }

  startBar(total: number, done: number): void {
    if (!this.#drawsBars()) {
      return;
    }
    const bars = new progress.MultiBar({
      stream: this.out,
      format: (options, params, payload) => this.#barLine(options, params, payload),
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false,
      // Cut by the library to the terminal's width, and drawn anew over the lines that it has written.
      linewrap: true,
      forceRedraw: true,
    });
    bars.on("redraw-pre", () => this.out.write(CLEAR_BELOW));
    // The terminal has all of a drawing at once, or nothing of it.
    bars.on("update-pre", () => this.out.cork());
    bars.on("update-post", () => this.out.uncork());
    this.#bars = bars;
    this.#bar = bars.create(total, done, { words: "" });
    // The terminal may be narrower than it was a moment ago: the bar stays on one row, or, where the terminal breaks rows that
    // it has, the cursor stays in the first of the bar's, and all of them go.
    this.#bar.on("redraw-pre", () => this.out.write(NO_WRAPPING));
    this.#bar.on("redraw-post", () => this.out.write(`${WRAPPING}\r`));
    bars.update();
  }

  /** One more is done. */
  advanceBar(): void {
    this.#advanced = true;
    this.#bar?.increment();
  }

  /** What is done now, in words. */
  nameBar(words: string): void {
    this.#bar?.update({ words });
  }

  /** Takes the bar off the terminal. */
  endBar(): void {
    this.#bars?.stop();
    this.#bars = null;
    this.#bar = null;
  }

  #drawsBars(): boolean {
    const { TERM, NO_COLOR } = this.#environment;
    return this.out.isTTY === true && TERM !== "dumb" && !NO_COLOR;
  }

  /** On one row of the terminal, with as much of the words as there is room for. */
  #barLine(options: Options, params: Params, { words }: { words: string }): string {
    const room = (this.width ?? USUAL_WIDTH) - 1;
    // Before the first is done, nobody knows.
    const left = this.#advanced ? `, ${progress.Format.TimeFormat(params.eta, options, 5)} left` : "";
    const counts = `${params.value}/${params.total} trials${left}`;
    const barsize = Math.min(WIDEST_BAR, Math.floor(room / 4));
    const bar = progress.Format.BarFormat(params.progress, { ...options, barsize });
    const line = shortened(`${bar} ${counts}`, room);
    const named = shortened(words, room - line.length - 2);
    return named === "" ? line : `${line}, ${named}`;
  }
}
