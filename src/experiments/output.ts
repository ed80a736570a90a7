import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawFigure } from "../report/figure.js";
import type { Conclusion, Row } from "./experiment.js";

const STYLE = `
body { font: 15px/1.5 "DejaVu Sans", sans-serif; color: #222; background: #fff; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
pre { font: 13px/1.45 "DejaVu Sans Mono", monospace; overflow-x: auto; }
figure { margin: 1.5rem 0; overflow-x: auto; }
`;

/** A conclusion's files in a folder: data.json, data.csv, each figure as SVG and PNG, and index.html with all of it. */
export async function writeConclusion(
  folder: string,
  title: string,
  about: string,
  { data, rows, text, figures }: Conclusion,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const drawn = [];
  for (const [name, spec] of Object.entries(figures)) {
    const { svg, png } = await drawFigure(spec);
    await writeFile(join(folder, `${name}.svg`), svg);
    await writeFile(join(folder, `${name}.png`), png);
    drawn.push({ name, svg });
  }
  await writeFile(join(folder, "data.json"), `${JSON.stringify(data, null, 2)}\n`);
  await writeFile(join(folder, "data.csv"), csv(rows));
  await writeFile(join(folder, "index.html"), page(title, about, text, drawn));
}

/** By RFC 4180; a missing value is empty. */
export function csv(rows: readonly Row[]): string {
  const keys = Object.keys(rows[0] ?? {});
  return [keys, ...rows.map((row) => keys.map((key) => row[key]))]
    .map((line) => `${line.map(field).join(",")}\n`)
    .join("");
}

function field(value: string | number | null | undefined): string {
  const text = `${value ?? ""}`;
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Everything in one file, without a script: it opens offline. */
function page(title: string, about: string, text: string, figures: readonly { name: string; svg: string }[]): string {
  const drawn = figures.map(
    ({ name, svg }) =>
      `<figure role="img" aria-label="${escaped(name)}; its values are in the table and in data.csv">\n${svg}\n</figure>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
<p>${escaped(about)}</p>
${drawn.join("\n")}
<h2>In numbers</h2>
<pre tabindex="0">${escaped(text)}</pre>
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
