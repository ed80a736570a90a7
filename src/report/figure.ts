import { fileURLToPath } from "node:url";
import { importOptional } from "../optional-package.js";

const FONT = "DejaVu Sans";
const FONT_FILES = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) =>
  fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}`)),
);
/** Twice the figure's size on a page, so that it stays sharp. */
const ZOOM = 2;

/** A Vega-Lite chart, as JSON (https://vega.github.io/vega-lite/docs/spec.html). */
export type Chart = Readonly<Record<string, unknown>>;

/** What of the packages that draw is used. */
interface VegaLite {
  readonly compile: (chart: Chart, options: { config: object }) => { spec: object };
}
interface Vega {
  readonly parse: (spec: object) => object;
  readonly View: new (runtime: object, options: object) => { toSVG(): Promise<string>; finalize(): void };
}
interface Resvg {
  readonly Resvg: new (svg: string, options: object) => { render(): { asPng(): Buffer } };
}

const CONFIG = {
  font: FONT,
  background: "white",
  padding: 12,
  axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridColor: "#e6e6e6" },
  legend: { labelFontSize: 12, titleFontSize: 12, labelLimit: 320 },
  title: { fontSize: 14, anchor: "start", subtitleFontSize: 12, subtitleColor: "#555555" },
  view: { stroke: null },
};

/**
 * Loads what charts are drawn with.
 *
 * @throws InstallationError if one of the packages is missing.
 */
export async function loadDrawing() {
  const neededBy = "Drawing figures";
  const { compile } = (await importOptional({ name: "vega-lite", neededBy })) as VegaLite;
  const vega = (await importOptional({ name: "vega", neededBy })) as Vega;
  const { Resvg } = (await importOptional({ name: "@resvg/resvg-js", neededBy })) as Resvg;
  return { compile, vega, Resvg };
}

/**
 * A chart as SVG and as PNG.
 *
 * @throws InstallationError if a package that draws is missing.
 */
export async function drawFigure(chart: Chart): Promise<{ svg: string; png: Buffer }> {
  const { compile, vega, Resvg } = await loadDrawing();
  const view = new vega.View(vega.parse(compile(chart, { config: CONFIG }).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const font = { fontFiles: FONT_FILES, loadSystemFonts: false, defaultFontFamily: FONT };
  const png = new Resvg(svg, { font, fitTo: { mode: "zoom", value: ZOOM } }).render().asPng();
  return { svg, png };
}
