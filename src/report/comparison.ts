import { describeWorkload } from "../records/workload.js";
import { tunerWords } from "../tuner-name.js";
import { firstAtOrBelow, MOST_POINTS, sumOfCosts, thinned } from "./curves.js";
import type { PageData, PageTask, Phases, Point, Selection } from "./page-data.js";
import type { DescribedTask, Run } from "./run.js";

/** The journal's options that tell runs apart at a glance, and what to call them. */
const SETTINGS: readonly (readonly [option: string, name: string])[] = [
  ["model", "network"],
  ["mode", "mode"],
  ["searchPolicy", "search policy"],
  ["trialsPerRound", "programs a round"],
  ["seed", "seed"],
];

/** Of all curves of a page, as far as each keeps `FEWEST_POINTS`. */
const POINTS_OF_PAGE = 50_000;
const FEWEST_POINTS = 50;

/** Puts runs side by side, task by task. The first run is what the others are held against. */
export function compareRuns(runs: readonly Run[]): PageData {
  const tasks = new TasksOfRuns(runs);
  const shared = tasks.keys.filter((key) => runs.every((run) => (run.tasks.get(key)?.best ?? null) !== null));
  const families = new Set(shared.flatMap((key) => tasks.family(key) ?? []));
  const curveCount = Math.max(1, runs.length * (1 + families.size + tasks.keys.length));
  const points = Math.min(MOST_POINTS, Math.max(FEWEST_POINTS, Math.floor(POINTS_OF_PAGE / curveCount)));
  const select = (label: string, group: Selection["group"], keys: readonly string[]): Selection => {
    const curves = runs.map((run) => tasks.curve(run, keys));
    const goal = curves[0]?.at(-1)?.[2];
    return {
      label,
      group,
      tasks: keys.map((key) => tasks.place(key)),
      curves: curves.map((curve) => thinned(curve, points).map(rounded)),
      reached: curves.map((curve) => (goal === undefined ? null : roundedOrNull(firstAtOrBelow(curve, goal)))),
    };
  };
  return {
    title: runs.map(({ name }) => name).join(", "),
    live: null,
    notices: notices(runs, tasks, shared),
    runs: runs.map(({ name, target, tuner, trials, failures, seconds, ended, rounds, origins, devices, ...run }) => ({
      name,
      target,
      settings: [
        ...(tuner === null ? [] : [["tuner", tunerWords(tuner)] as const]),
        ...SETTINGS.flatMap(([option, label]) => {
          const value = run.options?.[option];
          return typeof value === "string" || typeof value === "number" ? [[label, `${value}`] as const] : [];
        }),
      ],
      trials,
      failures,
      seconds: brief(seconds),
      ended,
      rounds,
      devices: devices.map((device) => ({ ...device, seconds: brief(device.seconds) })),
      decisions:
        run.decisions?.map(({ workloadKey, ...decision }) => ({
          ...decision,
          task: tasks.place(workloadKey),
          at: brief(decision.at),
          phases: briefly(decision.phases),
        })) ?? null,
      phases: [...run.phases].map(([key, phases]) => [tasks.place(key), briefly(phases)] as const),
      origins,
    })),
    tasks: tasks.keys.map((key) => tasks.page(key)),
    selections: [
      select(
        shared.length === tasks.keys.length
          ? `all ${shared.length} tasks`
          : `${shared.length} of ${tasks.keys.length} tasks`,
        "network",
        shared,
      ),
      ...[...families].map((family) => {
        const members = shared.filter((key) => tasks.family(key) === family);
        return select(family, "family", members);
      }),
      ...tasks.keys.map((key) => select(tasks.title(key), "task", [key])),
    ],
  };
}

/** The tasks of several runs, each once, those that a journal describes first. */
class TasksOfRuns {
  readonly keys: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #described: ReadonlyMap<string, DescribedTask>;

  constructor(private readonly runs: readonly Run[]) {
    // The first run's words count, so it comes last.
    this.#described = new Map(runs.toReversed().flatMap(({ described }) => [...described]));
    const inOrder = runs.flatMap(({ described }) => [...described.keys()]);
    this.keys = [...new Set([...inOrder, ...runs.flatMap(({ tasks }) => [...tasks.keys()])])];
    this.#places = new Map(this.keys.map((key, place) => [key, place]));
  }

  /** Its place on the page. */
  place(key: string): number {
    return this.#places.get(key) ?? -1;
  }

  /** Its number in its network. */
  id(key: string): number | null {
    return this.#described.get(key)?.id ?? null;
  }

  words(key: string): string {
    return this.#described.get(key)?.words ?? describeWorkload(key);
  }

  title(key: string): string {
    const id = this.id(key);
    return id === null ? this.words(key) : `${id}: ${this.words(key)}`;
  }

  family(key: string): string | null {
    return this.#described.get(key)?.family ?? null;
  }

  /** A run without a journal has the weights of one that has all its tasks: it must be of the same network. */
  weight(run: Run, key: string): number | null {
    const source = run.options === null ? this.runs.find(({ described }) => hasAll(described, run.tasks)) : run;
    return source?.described.get(key)?.weight ?? null;
  }

  curve(run: Run, keys: readonly string[]): Point[] {
    // A task alone is shown as one run of it takes, whatever its weight.
    const weight = (key: string) => (keys.length === 1 ? 1 : (this.weight(run, key) ?? 1));
    return sumOfCosts(
      keys.map((key) => ({ improvements: run.tasks.get(key)?.improvements ?? [], weight: weight(key) })),
    );
  }

  page(key: string): PageTask {
    return {
      title: this.title(key),
      words: this.words(key),
      family: this.family(key),
      weight: this.runs.map((run) => this.weight(run, key)).find((weight) => weight !== null) ?? null,
      results: this.runs.map(({ tasks }) => {
        const task = tasks.get(key);
        return task ? { best: task.best, trials: task.trials, failures: task.failures } : null;
      }),
    };
  }
}

function hasAll(described: ReadonlyMap<string, unknown>, tasks: ReadonlyMap<string, unknown>): boolean {
  return [...tasks.keys()].every((key) => described.has(key));
}

function notices(runs: readonly Run[], tasks: TasksOfRuns, shared: readonly string[]): string[] {
  const plain = runs.filter(({ options }) => options === null);
  const weightless = runs.filter((run) => [...run.tasks.keys()].some((key) => tasks.weight(run, key) === null));
  const ran = new Set(shared);
  const left = tasks.keys.filter((key) => !ran.has(key));
  const targets = new Set(runs.map(({ target }) => target));
  return [
    ...new Set(runs.flatMap((run) => run.notices)),
    ...plain.map(
      ({ name }) =>
        `${name} has no journal beside it: no decisions are known, and its time starts at its first record.`,
    ),
    ...weightless.map(
      ({ name }) => `How often the network runs each task is not known for ${name}: every such task counts once.`,
    ),
    ...(targets.size > 1 ? [`The records are of ${targets.size} targets: ${[...targets].join("; ")}.`] : []),
    ...(left.length > 0
      ? [
          `${left.length} of ${tasks.keys.length} tasks are left out of the sums, as no program of them ran ` +
            `${runs.length > 1 ? "in every log" : "yet"}: ${listed(left.map((key) => tasks.words(key)))}.`,
        ]
      : []),
  ];
}

const LISTED = 5;

function listed(names: readonly string[]): string {
  const more = names.length - LISTED;
  return [...names.slice(0, LISTED), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** Seconds to the millisecond. */
function brief(seconds: number): number {
  return Math.round(1000 * seconds) / 1000;
}

function briefly({ search, build, run, learn }: Phases): Phases {
  return { search: brief(search), build: brief(build), run: brief(run), learn: brief(learn) };
}

function rounded([seconds, trials, latency]: Point): Point {
  return [brief(seconds), trials, Number(latency.toPrecision(6))];
}

function roundedOrNull(point: Point | null): Point | null {
  return point && rounded(point);
}
