import { EXIT } from "./exit-code.js";

/**
 * Does work that Ctrl-C ends: the first asks it to end, the second ends this process at once. Standard output that can take no
 * more, as of `| head`, asks it to end, too.
 *
 * @param atOnce done before this process ends, to leave the terminal as it was
 * @param say tells the user what the first does
 * @returns the exit code
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<void>,
  atOnce: () => void,
  say: (line: string) => void = (line) => console.error(line),
): Promise<number> {
  const interrupt = new AbortController();
  const onInterrupt = () => {
    if (interrupt.signal.aborted) {
      // The worker ends with us: its standard input closes.
      atOnce();
      process.exit(EXIT.interrupted);
    }
    say("interrupted: the round in progress is recorded first; again to end at once");
    interrupt.abort();
  };
  const onOutputGone = () => {
    if (!interrupt.signal.aborted) {
      console.error("interrupted, as nothing takes what is printed: the round in progress is recorded first");
      interrupt.abort();
    }
  };
  process.on("SIGINT", onInterrupt).on("SIGTERM", onInterrupt);
  process.stdout.on("error", onOutputGone);
  try {
    await work(interrupt.signal);
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.done;
  } finally {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
    process.stdout.off("error", onOutputGone);
  }
}
