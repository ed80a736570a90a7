/** Draws the page from the JSON in it. Everything of a log is set as text, never as markup. */
import type { ChartConfiguration, Chart as ChartOf } from "chart.js";
import type { Decision, Live, PageData, PageRun, Phases, Point, Selection } from "../page-data.js";

// The page carries the library's own file before this one.
declare const Chart: typeof ChartOf;

type Content = Node | string;

const COLOURS = 8;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const ROWS = 50;
const MARKS = 12;
const PHASES = ["search", "build", "run", "learn", "wait"] as const;

/** How often a page of a running job asks for news: seldom enough to leave the machine to what is timed on it. */
const ASK_EVERY_MS = 2000;
const ASK_AGAIN = 5;

let data = JSON.parse(byId("data").textContent ?? "") as PageData;
let { runs, tasks, selections } = data;
const charts = new Map<string, ChartOf>();
let page = 0;

// ---- elements -----------------------------------------------------------------------------------------------------

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as querySelector's: the caller knows its page
function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`The page has no #${id}.`);
  }
  return found as E;
}

function make(name: string, attributes: Readonly<Record<string, string>>, ...content: readonly Content[]): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  made.append(...content);
  return made;
}

interface Column {
  readonly head: string;
  readonly kind?: "number" | "wide" | "widest";
}

/** A table whose first column heads its rows. */
function table(caption: string, columns: readonly Column[], rows: readonly (readonly Content[])[]): HTMLElement {
  const kind = (column: number): Record<string, string> => {
    const name = columns[column]?.kind;
    return name === undefined ? {} : { class: name };
  };
  return make(
    "table",
    { "aria-label": caption },
    make(
      "thead",
      {},
      make("tr", {}, ...columns.map(({ head }, at) => make("th", { scope: "col", ...kind(at) }, head))),
    ),
    make(
      "tbody",
      {},
      ...rows.map((cells) =>
        make(
          "tr",
          {},
          ...cells.map((cell, at) =>
            at === 0 ? make("th", { scope: "row", ...kind(at) }, cell) : make("td", kind(at), cell),
          ),
        ),
      ),
    ),
  );
}

/** Puts content in an element's place for it, unless it stands there already: what is selected in it stays so. */
function fill(id: string, ...content: readonly Content[]): void {
  const made = make("div", {}, ...content);
  const host = byId(id);
  const same = host.childNodes.length === made.childNodes.length;
  if (!same || [...host.childNodes].some((child, at) => !child.isEqualNode(made.childNodes[at] ?? null))) {
    host.replaceChildren(...made.childNodes);
  }
}

/** Gives a list new choices; what was chosen stays so, and a list that is open stays as it is. */
function choices(id: string, ...entries: readonly HTMLElement[]): void {
  const select = byId<HTMLSelectElement>(id);
  const { value } = select;
  if (select.options.length === 0 || document.activeElement !== select) {
    fill(id, ...entries);
    select.value = value;
    select.selectedIndex = Math.max(0, select.selectedIndex);
  }
}

function option(value: string, label: string): HTMLElement {
  return make("option", { value }, label);
}

function colour(index: number): string {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(`--c${index % COLOURS}`)
    .trim();
}

function themed(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function swatch(index: number): HTMLElement {
  const made = make("span", { class: "swatch", "aria-hidden": "true" });
  made.style.setProperty("--colour", `var(--c${index % COLOURS})`);
  return made;
}

// ---- words --------------------------------------------------------------------------------------------------------

function ms(seconds: number | null | undefined): string {
  return seconds === null || seconds === undefined ? "-" : (seconds * 1000).toFixed(seconds < 0.001 ? 4 : 3);
}

function duration(seconds: number): string {
  if (seconds < 100) {
    return `${seconds.toFixed(1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  return minutes < 100 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${(seconds / 3600).toFixed(1)} h`;
}

function programs(trials: number, failures: number): string {
  return failures > 0 ? `${trials} (${failures} failed)` : String(trials);
}

// ---- at a glance --------------------------------------------------------------------------------------------------

function showGlance(): void {
  const [network] = selections;
  const goal = network?.curves[0]?.at(-1)?.[2];
  const columns: Column[] = [
    { head: "log", kind: "wide" },
    { head: "latency (ms)", kind: "number" },
    ...(runs.length > 1 ? [{ head: `had ${ms(goal)} ms after`, kind: "wide" as const }] : []),
    { head: "programs", kind: "number" },
    { head: "time", kind: "number" },
    { head: "ended", kind: "wide" },
    { head: "tuned as", kind: "widest" },
  ];
  const rows = runs.map((run, index) => [
    make("span", {}, swatch(index), run.name),
    ms(network?.curves[index]?.at(-1)?.[2]),
    ...(runs.length > 1 ? [network ? reachedWords(network, index) : "-"] : []),
    programs(run.trials, run.failures),
    duration(run.seconds),
    run.ended ?? "-",
    settings(run),
  ]);
  const most = runs.length > 1 ? ` The others are held against what ${runs[0]?.name} reached in the end.` : "";
  byId("glance-hint").textContent =
    `Latency is the sum over ${network?.label} of the best program's time, times how often the network runs it.${most}`;
  fill("glance", table("The logs at a glance", columns, rows));
}

function settings({ settings: pairs, target }: PageRun): string {
  return [...pairs, ["target", target]].map(([name, value]) => `${name} ${value}`).join(", ");
}

/** When a run had what the first run reached in the end, and how much sooner than that one. */
function reachedWords({ reached }: Selection, run: number): string {
  const [first, own] = [reached[0], reached[run]];
  if (!first || !own) {
    return "never";
  }
  const sooner = run > 0 && own[0] > 0 ? `, ${(first[0] / own[0]).toPrecision(3)} times as fast` : "";
  return `${duration(own[0])}, ${own[1]} programs${sooner}`;
}

// ---- latency ------------------------------------------------------------------------------------------------------

function chosenSelection(): Selection | undefined {
  const { value } = byId<HTMLSelectElement>("selection");
  return selections.find((selection) => keyOf(selection) === value);
}

/** Stays the same while a job runs and selections are added. */
function keyOf({ group, label, tasks: [task] }: Selection): string {
  return { network: group, family: `${group} ${label}`, task: `${group} ${task}` }[group];
}

/** 0: time, 1: programs measured; the place in a {@link Point}. */
function chosenAxis(): 0 | 1 {
  return document.querySelector<HTMLInputElement>("input[name=axis]:checked")?.value === "1" ? 1 : 0;
}

/** A run's curve with its last latency held until the run's end. */
function held(selection: Selection, run: number): Point[] {
  const curve = selection.curves[run] ?? [];
  const last = curve.at(-1);
  const { seconds = 0, trials = 0 } = runs[run] ?? {};
  return last ? [...curve, [Math.max(seconds, last[0]), Math.max(trials, last[1]), last[2]]] : [];
}

function showLatency(): void {
  const selection = chosenSelection();
  if (!selection) {
    return;
  }
  const axis = chosenAxis();
  const logarithmic = byId<HTMLInputElement>("logarithmic").checked;
  const axisWords = axis === 0 ? "seconds of tuning" : "programs measured";
  draw("latency-chart", {
    type: "line",
    data: {
      datasets: runs.map((run, index) => ({
        label: run.name,
        data: held(selection, index).map((point) => ({ x: point[axis], y: point[2] * 1000 })),
        stepped: true,
        borderColor: colour(index),
        backgroundColor: colour(index),
        borderDash: DASHES[index % DASHES.length] ?? [],
        borderWidth: 2,
        pointRadius: 0,
        pointHitRadius: 8,
        pointHoverRadius: 5,
      })),
    },
    options: {
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: { type: "linear", min: 0, ...axisStyle(axisWords) },
        y: {
          type: logarithmic ? "logarithmic" : "linear",
          ...(logarithmic ? {} : { min: 0 }),
          ...axisStyle("latency (ms)"),
        },
      },
      plugins: {
        legend: {
          display: runs.length > 1,
          labels: { color: themed("text"), usePointStyle: true, pointStyle: "line" },
        },
        tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${parsed.y?.toPrecision(4)} ms` } },
      },
    },
  });
  const ends = runs.map((run, index) => {
    const curve = selection.curves[index] ?? [];
    const [first, last] = [curve[0], curve.at(-1)];
    return first && last
      ? `${run.name}: ${ms(first[2])} ms after ${duration(first[0])}, ${ms(last[2])} ms after ${duration(last[0])} and ${last[1]} programs.`
      : `${run.name}: not known, as no program ran of some task.`;
  });
  byId("latency-summary").textContent = ends.join("\n");
  byId("latency-chart").setAttribute(
    "aria-label",
    `Latency of ${selection.label} against ${axisWords}, a line for each log`,
  );
  showLatencyTable(selection, axis, axisWords);
  for (const tile of document.querySelectorAll(".tiles button")) {
    tile.setAttribute("aria-pressed", String(isChosen(tile.id)));
  }
}

function isChosen(tileId: string): boolean {
  const selection = chosenSelection();
  return selection?.group === "task" && tileId === `tile-${selection.tasks[0]}`;
}

/** The latency at so many moments, evenly spread. */
function showLatencyTable(selection: Selection, axis: 0 | 1, axisWords: string): void {
  const end = Math.max(0, ...runs.map((_, run) => held(selection, run).at(-1)?.[axis] ?? 0));
  const marks = Array.from({ length: MARKS }, (_, mark) => (end * (mark + 1)) / MARKS);
  const at = (run: number, mark: number) => held(selection, run).findLast((point) => point[axis] <= mark)?.[2];
  fill(
    "latency-table",
    table(
      `Latency of ${selection.label}`,
      [
        { head: axisWords, kind: "number" },
        ...runs.map(({ name }) => ({ head: `${name} (ms)`, kind: "number" as const })),
      ],
      marks.map((mark) => [mark.toFixed(axis === 0 ? 1 : 0), ...runs.map((_, run) => ms(at(run, mark)))]),
    ),
  );
}

function axisStyle(words: string) {
  return {
    title: { display: true, text: words, color: themed("muted") },
    ticks: { color: themed("muted") },
    grid: { color: themed("line") },
  };
}

function draw(id: string, configuration: ChartConfiguration<"line" | "bar">): void {
  const shared = { animation: false, responsive: true, maintainAspectRatio: false } as const;
  const options = { ...configuration.options, ...shared };
  const chart = charts.get(id);
  if (chart) {
    chart.data = configuration.data;
    chart.options = options;
    chart.update("none");
  } else {
    charts.set(id, new Chart(byId<HTMLCanvasElement>(id), { ...configuration, options }));
  }
}

// ---- tasks and families -------------------------------------------------------------------------------------------

function showTasks(): void {
  const columns: Column[] = [
    { head: "task", kind: "wide" },
    ...runs.flatMap(({ name }) => {
      const of = runs.length > 1 ? `, ${name}` : "";
      return [
        { head: `latency (ms)${of}`, kind: "number" as const },
        { head: `programs${of}`, kind: "number" as const },
      ];
    }),
    { head: "weight", kind: "number" },
    { head: "family" },
  ];
  const rows = tasks.map(({ words, family, weight, results }, task) => [
    `${task}: ${words}`,
    ...results.flatMap((result) => [ms(result?.best), programs(result?.trials ?? 0, result?.failures ?? 0)]),
    weight === null ? "-" : String(weight),
    family ?? "-",
  ]);
  fill("tasks", table("Tasks", columns, rows));
}

function families(): Map<string, number[]> {
  const members = new Map<string, number[]>();
  for (const [task, { family }] of tasks.entries()) {
    const name = family ?? "no family known";
    members.set(name, [...(members.get(name) ?? []), task]);
  }
  return members;
}

/** Latency in the network that a run reached for a task, in seconds; 0 where no program ran. */
function reachedIn(run: number, task: number): number {
  const { weight, results } = tasks[task] ?? {};
  return (results?.[run]?.best ?? 0) * (weight ?? 1);
}

function showFamilies(run: number): void {
  const total = tasks.reduce((sum, _, task) => sum + reachedIn(run, task), 0) || 1;
  const focused = document.activeElement?.id ?? "";
  fill(
    "families",
    ...[...families()].map(([name, members], index) => {
      const share = members.reduce((sum, task) => sum + reachedIn(run, task), 0) / total;
      const about = `${members.length} ${members.length === 1 ? "task" : "tasks"}, ${percent(share)} of the latency`;
      const made = make(
        "div",
        { class: "family" },
        make("h3", {}, `${name} `, make("span", {}, about)),
        make("ul", { class: "tiles" }, ...members.map((task) => tile(run, task, total))),
      );
      made.style.setProperty("--colour", `var(--c${index % COLOURS})`);
      return made;
    }),
  );
  if (focused.startsWith("tile-")) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function tile(run: number, task: number, total: number): HTMLElement {
  const selection = selections.find((each) => each.group === "task" && each.tasks[0] === task);
  const curve = selection?.curves[run] ?? [];
  const [first, last] = [curve[0]?.[2], curve.at(-1)?.[2]];
  const fallen = first && last ? 1 - last / first : 0;
  const share = reachedIn(run, task) / total;
  const words =
    last === undefined ? "no program ran" : `${ms(last)} ms, ${percent(share)}, ${percent(fallen)} below its first`;
  const button = make(
    "button",
    { type: "button", id: `tile-${task}`, "aria-pressed": String(isChosen(`tile-${task}`)) },
    make("strong", {}, `${task}: ${tasks[task]?.words}`),
    words,
  );
  button.style.setProperty("--depth", `${Math.round(8 + 26 * fallen)}%`);
  button.addEventListener("click", () => {
    byId<HTMLSelectElement>("selection").value = `task ${task}`;
    showLatency();
    byId("latency-title").scrollIntoView();
  });
  const item = make("li", {}, button);
  item.style.setProperty("--share", String(Math.max(1, Math.round(share * 1000))));
  return item;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
}

// ---- time ---------------------------------------------------------------------------------------------------------

interface Bar {
  readonly label: string;
  readonly seconds: Readonly<Record<(typeof PHASES)[number], number>>;
}

function bars(grouping: string, chosen: number): Bar[] {
  if (grouping === "run") {
    return runs.flatMap(({ name, decisions, phases, seconds }) => {
      const spent = sumOf(phases.map(([, each]) => each));
      const busy = spent.search + spent.build + spent.run + spent.learn;
      return decisions ? [{ label: name, seconds: { ...spent, wait: Math.max(0, seconds - busy) } }] : [];
    });
  }
  const groups = new Map<string, Phases[]>();
  for (const [task, phases] of runs[chosen]?.phases ?? []) {
    const { words, family } = tasks[task] ?? {};
    const label = grouping === "task" ? `${task}: ${words}` : (family ?? "no family known");
    groups.set(label, [...(groups.get(label) ?? []), phases]);
  }
  return [...groups].map(([label, some]) => ({ label, seconds: { ...sumOf(some), wait: 0 } }));
}

function sumOf(some: readonly Phases[]): Phases {
  const sum = { search: 0, build: 0, run: 0, learn: 0 };
  for (const phases of some) {
    sum.search += phases.search;
    sum.build += phases.build;
    sum.run += phases.run;
    sum.learn += phases.learn;
  }
  return sum;
}

function showTime(run: number): void {
  const grouping = byId<HTMLSelectElement>("grouping").value;
  const shown = bars(grouping, run);
  const box = byId("time-box");
  box.hidden = shown.length === 0;
  box.style.height = `${6 + 2.2 * shown.length}rem`;
  const narrow = matchMedia("(max-width: 40rem)").matches;
  draw("time-chart", {
    type: "bar",
    data: {
      labels: shown.map(({ label }) => (narrow && label.length > 16 ? `${label.slice(0, 15)}…` : label)),
      datasets: PHASES.map((phase, index) => ({
        label: phase,
        data: shown.map(({ seconds }) => seconds[phase]),
        backgroundColor: colour(index),
        borderColor: themed("surface"),
        borderWidth: 1,
        maxBarThickness: 28,
      })),
    },
    options: {
      indexAxis: "y",
      scales: {
        x: { stacked: true, ...axisStyle("seconds") },
        y: { stacked: true, ticks: { color: themed("muted"), autoSkip: false }, grid: { display: false } },
      },
      plugins: {
        legend: { labels: { color: themed("text") } },
        tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${duration(parsed.x ?? 0)}` } },
      },
    },
  });
  byId("time-chart").setAttribute(
    "aria-label",
    `Seconds of each phase, a bar for each ${grouping === "run" ? "log" : grouping}`,
  );
  fill(
    "time-table",
    shown.length === 0
      ? "Not known: there is no journal."
      : table(
          "Seconds of each phase",
          [
            { head: grouping === "run" ? "log" : grouping, kind: "wide" },
            ...PHASES.map((head) => ({ head: `${head} (s)`, kind: "number" as const })),
          ],
          shown.map(({ label, seconds }) => [label, ...PHASES.map((phase) => seconds[phase].toFixed(1))]),
        ),
  );
}

// ---- origins and devices ------------------------------------------------------------------------------------------

function showOrigins({ origins }: PageRun): void {
  const heads = ["origin", "programs", "rounds it was in", "of these its program became the task's best", "share"];
  fill(
    "origins",
    origins.length === 0
      ? "Not recorded: evolution alone was at work, or there is no journal."
      : table(
          "Where programs came from",
          heads.map((head, at) => ({ head, ...(at > 0 ? { kind: "number" as const } : {}) })),
          origins.map(({ name, programs, rounds, improved }) => [
            name,
            String(programs),
            String(rounds),
            String(improved),
            percent(improved / rounds),
          ]),
        ),
  );
}

function showDevices({ devices }: PageRun): void {
  const columns = ["device", "programs", "failed", "timing (s)"];
  fill(
    "devices",
    devices.length === 0
      ? "Not known: there is no journal."
      : table(
          "Devices",
          columns.map((head, at) => ({ head, ...(at > 0 ? { kind: "number" as const } : {}) })),
          devices.map(({ name, programs, failures, seconds }) => [
            name,
            String(programs),
            String(failures),
            seconds.toFixed(1),
          ]),
        ),
  );
}

// ---- decisions ----------------------------------------------------------------------------------------------------

function matching({ decisions }: PageRun): Decision[] {
  const text = byId<HTMLInputElement>("text").value.trim().toLowerCase();
  const kind = byId<HTMLSelectElement>("kind").value;
  const improved = byId<HTMLInputElement>("improved").checked;
  return (decisions ?? []).filter(
    (decision) =>
      (kind === "" || decision.kind === kind) &&
      (!improved || decision.after !== decision.before) &&
      (text === "" || wordsOf(decision).toLowerCase().includes(text)),
  );
}

function wordsOf({ id, task, reason, failed, notes, origins }: Decision): string {
  const { words, family } = tasks[task] ?? {};
  return [`task ${id}`, words, family, reason, failed, ...notes, ...Object.keys(origins)].join(" ");
}

function showDecisions(run: PageRun): void {
  const found = matching(run);
  page = Math.max(0, Math.min(page, Math.ceil(found.length / ROWS) - 1));
  const shown = found.slice(page * ROWS, (page + 1) * ROWS);
  const range = shown.length === 0 ? "None" : `${page * ROWS + 1} to ${page * ROWS + shown.length}`;
  byId("decision-count").textContent =
    run.decisions === null
      ? "Not known: there is no journal."
      : `${range} of ${found.length} rounds (${inAll(run.rounds, run.decisions.length)})`;
  const columns: Column[] = [
    { head: "round", kind: "number" },
    { head: "at", kind: "number" },
    { head: "task", kind: "wide" },
    { head: "why", kind: "wide" },
    { head: "latency (ms)", kind: "number" },
    { head: "programs", kind: "wide" },
    { head: "foreseen order", kind: "number" },
    { head: "took", kind: "number" },
  ];
  fill("decisions", ...(shown.length > 0 ? [table("Decisions", columns, shown.map(row))] : []));
  byId<HTMLButtonElement>("previous").disabled = page === 0;
  byId<HTMLButtonElement>("next").disabled = (page + 1) * ROWS >= found.length;
}

/** Of a long tuning's rounds not all are on the page. */
function inAll(rounds: number, kept: number): string {
  const left = rounds - kept;
  return left === 0
    ? `${rounds} in all`
    : `${rounds} in all; ${left} that are neither among the first and last thousand nor improved much are left out`;
}

function row({
  round,
  at,
  id,
  task,
  reason,
  before,
  after,
  programs,
  failed,
  origins,
  accuracy,
  phases,
  notes,
}: Decision): Content[] {
  const means = Object.entries(origins).map(([name, each]) => `${each.programs} ${name}`);
  const measured = [
    means.length > 0 ? means.join(", ") : String(programs),
    ...(failed === "" ? [] : [`failed: ${failed}`]),
  ];
  const improved = after !== before;
  return [
    String(round),
    duration(at),
    `${id}: ${tasks[task]?.words ?? ""}`,
    [reason, ...notes].join("; "),
    improved ? make("span", { class: "gain" }, `${ms(before)} → ${ms(after)}`) : ms(after),
    measured.join("; "),
    accuracy === null ? "-" : percent(accuracy),
    duration(phases.search + phases.build + phases.run + phases.learn),
  ];
}

// ---- all of it ----------------------------------------------------------------------------------------------------

function chosenRun(): number {
  return Number(byId<HTMLSelectElement>("run").value);
}

function showRun(): void {
  const index = chosenRun();
  const run = runs[index];
  if (!run) {
    return;
  }
  const kinds = [...new Set((run.decisions ?? []).map(({ kind }) => kind))];
  choices("kind", option("", "any"), ...kinds.map((kind) => option(kind, kind.replaceAll("-", " "))));
  showFamilies(index);
  showTime(index);
  showOrigins(run);
  showDevices(run);
  showDecisions(run);
}

function showDecisionsFrom(first: () => number): () => void {
  return () => {
    page = first();
    const run = runs[chosenRun()];
    if (run) {
      showDecisions(run);
    }
  };
}

function showChoices(): void {
  const groups = [
    ["network", "Network"],
    ["family", "Families"],
    ["task", "Tasks"],
  ] as const;
  choices(
    "selection",
    ...groups.map(([group, label]) => {
      const members = selections.filter((each) => each.group === group);
      return make("optgroup", { label }, ...members.map((each) => option(keyOf(each), each.label)));
    }),
  );
  choices("run", ...runs.map(({ name }, index) => option(String(index), name)));
  byId("run-choice").hidden = runs.length <= 1;
}

function showAll(): void {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  byId("notices").hidden = data.notices.length === 0;
  fill("notice-list", ...data.notices.map((notice) => make("li", {}, notice)));
  showChoices();
  showGlance();
  showTasks();
  showRun();
  showLatency();
}

// ---- a running job ------------------------------------------------------------------------------------------------

const LIVE_STATES: Readonly<Record<Live["state"], string>> = {
  starting: "The job starts.",
  running: "The job runs; this page follows it.",
  ended: "The job has ended; this page stays as it is.",
};

function showLive({ state, words, measured, trials }: Live): void {
  fill("live-state", LIVE_STATES[state]);
  fill("live-words", state === "ended" ? `Why: ${words}` : words);
  fill("live-measured", `${measured} of ${trials || "?"} programs`);
  const progress = byId<HTMLProgressElement>("live-progress");
  progress.max = Math.max(trials, measured, 1);
  progress.value = measured;
}

/** Whether a screen reader is to read out what changes: what someone asked for, not each of a job's news. */
function readOut(mode: "polite" | "off"): void {
  for (const id of ["latency-summary", "decision-count"]) {
    byId(id).setAttribute("aria-live", mode);
  }
}

/** Asks a running job for news, and shows them, until it has ended or is gone. */
async function follow(live: Live): Promise<void> {
  byId("live").hidden = false;
  showLive(live);
  for (const kind of ["input", "change", "click"]) {
    document.addEventListener(kind, () => readOut("polite"), { capture: true });
  }
  let misses = 0;
  while (data.live?.state !== "ended") {
    await pause(ASK_EVERY_MS * (1 + misses));
    const news = await ask(data.live?.version ?? 0);
    misses = news === "no answer" ? misses + 1 : 0;
    if (misses > ASK_AGAIN) {
      fill("live-state", "The job does not answer any more: it has ended. A report of its log shows how.");
      return;
    }
    if (typeof news === "object") {
      data = news;
      ({ runs, tasks, selections } = news);
      readOut("off");
      showAll();
      showLive(news.live ?? live);
    }
  }
}

async function ask(version: number): Promise<PageData | "nothing new" | "no answer"> {
  try {
    const response = await fetch(`data?after=${version}`, { signal: AbortSignal.timeout(5 * ASK_EVERY_MS) });
    if (response.status === 204) {
      return "nothing new";
    }
    return response.ok ? ((await response.json()) as PageData) : "no answer";
  } catch {
    return "no answer";
  }
}

/** So long, and until someone looks at the page. */
async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  if (document.hidden) {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

function start(): void {
  showChoices();
  // What most is told of is shown first.
  byId<HTMLSelectElement>("run").value = String(
    Math.max(
      0,
      runs.findIndex(({ decisions }) => decisions !== null),
    ),
  );
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  byId("latency-controls").addEventListener("change", showLatency);
  byId("run").addEventListener("change", () => {
    page = 0;
    showRun();
  });
  byId("grouping").addEventListener("change", () => showTime(chosenRun()));
  byId("decision-controls").addEventListener(
    "input",
    showDecisionsFrom(() => 0),
  );
  byId("previous").addEventListener(
    "click",
    showDecisionsFrom(() => page - 1),
  );
  byId("next").addEventListener(
    "click",
    showDecisionsFrom(() => page + 1),
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAll);
  showAll();
  if (data.live) {
    void follow(data.live);
  }
}

start();
