/** Draws the page from the JSON in it, anew for what its reader chooses, and for news of a running job. */
import type { PageData } from "../page-data.js";
import { showDecisions, showKinds, toFirstPage, turnPages } from "./decisions.js";
import { byId, choices, fill, make, option } from "./elements.js";
import { showFamilies, showTasks } from "./families.js";
import { follow } from "./follow.js";
import { showGlance } from "./glance.js";
import { showLatency, showLatencyOfTask, showSelections } from "./latency.js";
import { showTime } from "./time.js";
import { showDevices, showOrigins } from "./totals.js";

/** What is shown: of a running job, its latest news. */
let data = JSON.parse(byId("data").textContent ?? "") as PageData;

function chosenRun(): number {
  return Number(byId<HTMLSelectElement>("run").value);
}

function showRun(): void {
  const index = chosenRun();
  const run = data.runs[index];
  if (!run) {
    return;
  }
  showKinds(run);
  showFamilies(data, index, (task) => showLatencyOfTask(data, task));
  showTime(data, index);
  showOrigins(run);
  showDevices(run);
  showDecisions(data.tasks, run);
}

function showChosenDecisions(): void {
  const run = data.runs[chosenRun()];
  if (run) {
    showDecisions(data.tasks, run);
  }
}

function showChoices({ runs, selections }: PageData): void {
  showSelections(selections);
  choices("run", ...runs.map(({ name }, index) => option(String(index), name)));
  byId("run-choice").hidden = runs.length <= 1;
}

function showAll(): void {
  byId("notices").hidden = data.notices.length === 0;
  fill("notice-list", ...data.notices.map((notice) => make("li", {}, notice)));
  showChoices(data);
  showGlance(data);
  showTasks(data);
  showRun();
  showLatency(data);
}

function listen(): void {
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  byId("latency-controls").addEventListener("change", () => showLatency(data));
  byId("run").addEventListener("change", () => {
    toFirstPage();
    showRun();
  });
  byId("grouping").addEventListener("change", () => showTime(data, chosenRun()));
  byId("decision-controls").addEventListener("input", () => {
    toFirstPage();
    showChosenDecisions();
  });
  byId("previous").addEventListener("click", () => {
    turnPages(-1);
    showChosenDecisions();
  });
  byId("next").addEventListener("click", () => {
    turnPages(1);
    showChosenDecisions();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showAll);
}

function start(): void {
  showChoices(data);
  // What most is told of is shown first.
  byId<HTMLSelectElement>("run").value = String(
    Math.max(
      0,
      data.runs.findIndex(({ decisions }) => decisions !== null),
    ),
  );
  listen();
  showAll();
  if (data.live) {
    void follow(data.live, (news) => {
      data = news;
      showAll();
    });
  }
}

start();
