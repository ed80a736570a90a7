import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";
import * as vega from "vega";
import { type Config, compile, type TopLevelSpec } from "vega-lite";

const FONT = "DejaVu Sans";
const FONT_FILES = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) =>
  fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}`)),
);
/** Twice the figure's size on a page, so that it stays sharp. */
const ZOOM = 2;

const CONFIG: Config = {
  font: FONT,
  background: "white",
  padding: 12,
  axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridColor: "#e6e6e6" },
  legend: { labelFontSize: 12, titleFontSize: 12, labelLimit: 320 },
  title: { fontSize: 14, anchor: "start", subtitleFontSize: 12, subtitleColor: "#555555" },
  view: { stroke: null },
};

/** A Vega-Lite chart as SVG and as PNG. */
export async function drawFigure(spec: TopLevelSpec): Promise<{ svg: string; png: Buffer }> {
  const view = new vega.View(vega.parse(compile(spec, { config: CONFIG }).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const font = { fontFiles: FONT_FILES, loadSystemFonts: false, defaultFontFamily: FONT };
  const png = new Resvg(svg, { font, fitTo: { mode: "zoom", value: ZOOM } }).render().asPng();
  return { svg, png };
}
