/** Follows a running job, whose page asks it for news. */
import type { Live, PageData } from "../page-data.js";
import { byId, fill } from "./elements.js";

/** How often a page of a running job asks for news: seldom enough to leave the machine to what is timed on it. */
const ASK_EVERY_MS = 2000;
const ASK_AGAIN = 5;

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

/** Asks a running job for news, and has them shown, until it has ended or is gone. */
export async function follow(first: Live, show: (news: PageData) => void): Promise<void> {
  let live = first;
  byId("live").hidden = false;
  showLive(live);
  for (const kind of ["input", "change", "click"]) {
    document.addEventListener(kind, () => readOut("polite"), { capture: true });
  }
  let misses = 0;
  while (live.state !== "ended") {
    await pause(ASK_EVERY_MS * (1 + misses));
    const news = await ask(live.version);
    misses = news === "no answer" ? misses + 1 : 0;
    if (misses > ASK_AGAIN) {
      fill("live-state", "The job does not answer any more: it has ended. A report of its log shows how.");
      return;
    }
    if (typeof news === "object") {
      readOut("off");
      show(news);
      live = news.live ?? live;
      showLive(live);
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
