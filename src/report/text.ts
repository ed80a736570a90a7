import wrapAnsi from "wrap-ansi";

/** How far the further rows of a line stand in. */
const HANGING = 4;

/** Text whose lines are at most `width` wide: they break between words, and only where one word is wider than that within it. */
export function wrapped(text: string, width: number | null): string {
  return text
    .split("\n")
    .map((line) => (width === null || rowsOf(line, width, false).length === 1 ? line : wrappedLine(line, width)))
    .join("\n");
}

function wrappedLine(line: string, width: number): string {
  const indent = " ".repeat(line.length - line.trimStart().length + HANGING);
  const rows = rowsOf(line.trim(), Math.max(1, width - indent.length));
  return rows.map((row, index) => (index === 0 ? `${indent.slice(HANGING)}${row}` : `${indent}${row}`)).join("\n");
}

/** The rows of one line; with `trim`, without spaces at their ends. */
export function rowsOf(line: string, width: number, trim = true): string[] {
  return wrapAnsi(line, width, { hard: true, trim }).split("\n");
}

/** As many whole words of a text as fit in a width, with an ellipsis for the rest; nothing if none does. */
export function shortened(text: string, width: number): string {
  if (text.length <= width) {
    return text;
  }
  const words = text
    .slice(0, Math.max(0, width - 1))
    .split(" ")
    .slice(0, -1)
    .join(" ");
  return words === "" ? "" : `${words} …`;
}
