import type { Chart } from "../report/figure.js";
import { TUNER_WORDS } from "../tuner-name.js";
import type { Row, Settings } from "./experiment.js";

/** Tells those who cannot tell colours apart by the order, too: light ones are not next to light ones. */
const COLOURS = ["#555555", "#d95f02", "#1b66a8", "#2a9d5c", "#8a4fb0", "#b8860b", "#c2327a", "#17becf"];
const [WIDTH, HEIGHT] = [440, 260];

/** What a simulated device says is never shown without saying so, nor what is not about Ansor. */
export function titled(title: string, { device, tuner }: Pick<Settings, "device" | "tuner">): string {
  const notes = [
    ...(device === "simulated" ? ["simulated GPU"] : []),
    ...(tuner === "ansor" ? [] : [TUNER_WORDS[tuner]]),
  ];
  return notes.length > 0 ? `${title} (${notes.join(", ")})` : title;
}

export interface LinesSpec {
  readonly title: string;
  readonly subtitle?: string;
  readonly x: string;
  readonly y: string;
  /** Whose line it is. */
  readonly series: string;
  /** Lines of equal series that are told apart by dashes. */
  readonly dashes?: string;
  /** Keeps apart what is not to be joined, e.g. seeds. */
  readonly detail?: string;
  /** A chart for each. */
  readonly facet?: string;
  /** Values that hold until the next point. */
  readonly steps?: boolean;
  readonly logX?: boolean;
  readonly logY?: boolean;
}

/** A line chart of rows; a field's name is its axis's. */
export function lines(rows: readonly Row[], of: LinesSpec): Chart {
  const chart = {
    width: WIDTH,
    height: HEIGHT,
    mark: {
      type: "line",
      interpolate: of.steps ? "step-after" : "linear",
      point: !of.steps,
    },
    encoding: {
      x: quantity(of.x, of.logX),
      y: quantity(of.y, of.logY),
      color: { ...nominal(of.series, rows), scale: { range: COLOURS } },
      ...(of.dashes ? { strokeDash: nominal(of.dashes, rows) } : {}),
      ...(of.detail ? { detail: { field: plain(of.detail) } } : {}),
    },
  };
  return framed(rows, of, chart);
}

export interface BarsSpec {
  readonly title: string;
  readonly subtitle?: string;
  /** What the bars are, e.g. networks. */
  readonly category: string;
  readonly value: string;
  /** Bars beside each other within a category. */
  readonly series: string;
  readonly facet?: string;
}

/** A bar chart of rows; a row without a value has no bar. */
export function bars(rows: readonly Row[], of: BarsSpec): Chart {
  const chart = {
    width: { step: 18 },
    height: HEIGHT,
    mark: "bar",
    encoding: {
      x: { ...nominal(of.category, rows), title: null, axis: { labelAngle: -30 } },
      xOffset: nominal(of.series, rows),
      y: { field: plain(of.value), type: "quantitative", title: of.value },
      color: { ...nominal(of.series, rows), scale: { range: COLOURS } },
    },
  };
  return framed(rows, of, chart);
}

function quantity(field: string, log = false) {
  const scale = log ? { type: "log", nice: false } : { zero: false };
  return { field: plain(field), type: "quantitative", title: field, scale };
}

/** Vega takes dots, brackets and quotes in a field's name for a path. */
function plain(field: string): string {
  return field.replaceAll(/[^\w ]/g, "_");
}

/** In the order of the rows. */
function nominal(field: string, rows: readonly Row[]) {
  return {
    field: plain(field),
    type: "nominal",
    title: field,
    sort: [...new Set(rows.map((row) => row[field]))],
  };
}

function framed(rows: readonly Row[], of: LinesSpec | BarsSpec, chart: Chart): Chart {
  const { title, subtitle, facet } = of;
  const { width, height, ...unit } = chart;
  const frame = {
    title: subtitle === undefined ? title : { text: title, subtitle },
    data: {
      values: rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [plain(key), value]))),
    },
  };
  if (facet === undefined) {
    return { ...frame, ...chart };
  }
  return {
    ...frame,
    facet: { ...nominal(facet, rows), title: null },
    columns: 2,
    spec: { width, height, ...unit },
    resolve: { scale: { x: "independent", y: "independent" } },
  };
}
