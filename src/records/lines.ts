import { createReadStream } from "node:fs";

export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** False for a last line that no line break ends: its writer may have been killed. */
  readonly whole: boolean;
}

/** The lines of a file, one after another; the file is never in memory as a whole. `refuse` throws what to tell the user. */
export async function* linesOf(
  path: string,
  refuse: (error: NodeJS.ErrnoException) => never,
): AsyncGenerator<Line, void, void> {
  const stream = createReadStream(path, { encoding: "utf8", highWaterMark: 1 << 20 });
  let number = 0;
  let rest = "";
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const next: IteratorResult<string, undefined> = await chunks.next().catch(refuse);
    if (next.done) {
      break;
    }
    const lines = (rest + next.value).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      number += 1;
      yield { text, number, whole: true };
    }
  }
  if (rest !== "") {
    yield { text: rest, number: number + 1, whole: false };
  }
}
