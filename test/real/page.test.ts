import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import { type Browser, type Page, chromium as playwright } from "playwright-core";
import { readReport, renderPage } from "../../src/report/page.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { roundLine, startedLine, writeJournal, writeLargeLog, writeLog } from "../helpers/written-logs.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const RECORDS = 20_000;
const MANY_RECORDS = 100_000;
/** The aim is 2 s; a machine that tests and builds beside it may take longer. */
const LOAD_MS = 6_000;
const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

interface Opened {
  readonly page: Page;
  /** What a page should not do: messages on the console, errors, requests of anything but itself. */
  readonly trouble: string[];
}

describe("the page of a report, in Chromium", () => {
  let browser: Browser;
  let folder: string;
  let large: string;
  let hostile: string;

  before(async () => {
    folder = await temporaryFolder();
    // Root, as in a container, has no sandbox.
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ["--no-sandbox"] });
    large = await pageOf("large.log", (log) => writeLargeLog(log, RECORDS));
    hostile = await pageOf("hostile.log", writeHostileLog);
  });
  after(async () => {
    await browser?.close();
  });

  async function pageOf(name: string, write: (log: string) => Promise<void>): Promise<string> {
    const log = join(folder, name);
    await write(log);
    await writeFile(`${log}.html`, (await renderPage(await readReport([log]))).html);
    return `${log}.html`;
  }

  const HOSTILE = `</script><script>window.harmed = true</script><img src="x" onerror="window.harmed = true">`;

  async function writeHostileLog(log: string): Promise<void> {
    await writeLog(log, [{ key: HOSTILE, cost: 0.001, at: 1 }]);
    const reason = { type: "first-look", family: HOSTILE, first: true };
    await writeJournal(log, [
      startedLine([{ key: HOSTILE, words: HOSTILE, family: HOSTILE }]),
      roundLine({ index: 0, task: 0, at: 2, before: null, after: 0.001, reason }),
    ]);
  }

  async function open(file: string, viewport = SIZES[0], colorScheme: "light" | "dark" = "light"): Promise<Opened> {
    const page = await browser.newPage({ viewport: viewport ?? null, colorScheme });
    const trouble: string[] = [];
    page.on("console", (message) => trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(String(error)));
    page.on("request", (request) => {
      if (request.url() !== String(pathToFileURL(file)) && !request.url().startsWith("data:")) {
        trouble.push(request.url());
      }
    });
    await page.goto(String(pathToFileURL(file)));
    return { page, trouble };
  }

  it(`of ${RECORDS} records loads fast, with charts, nothing fetched and nothing on the console`, async () => {
    const begun = performance.now();
    const { page, trouble } = await open(large);
    await page.getByRole("table", { name: "Decisions" }).waitFor();
    const took = performance.now() - begun;
    console.log(
      `      ${RECORDS} records: loaded in ${took.toFixed(0)} ms, a page of ${(await readFile(large)).length >> 10} KiB`,
    );
    assert.ok(took < LOAD_MS, `${took} ms`);
    for (const name of [/^Latency of all 32 tasks/, /^Seconds of each phase/]) {
      assert.equal(await page.getByRole("img", { name }).count(), 1, String(name));
    }
    assert.equal(await page.evaluate(DRAWN), true);
    await page.getByText(/^tuner Ansor, network mlp, /).waitFor();
    assert.deepEqual(trouble, []);
    await page.close();
  });

  it(`of ${MANY_RECORDS} records shows some thousand rounds, and says how many it leaves out`, async () => {
    const file = await pageOf("many.log", (log) => writeLargeLog(log, MANY_RECORDS));
    assert.ok((await readFile(file)).length < 3 << 20);
    const { page, trouble } = await open(file);
    const count = (await page.locator("#decision-count").textContent()) ?? "";
    const [, shown, all, left] = /1 to 50 of (\d+) rounds \((\d+) in all; (\d+) that/.exec(count) ?? [];
    assert.equal(Number(all), MANY_RECORDS / 8, count);
    assert.equal(Number(shown) + Number(left), Number(all));
    assert.ok(Number(shown) <= 5000);
    assert.equal(
      await page.evaluate("JSON.parse(document.getElementById('data').textContent).runs[0].trials"),
      MANY_RECORDS,
    );
    assert.deepEqual(trouble, []);
    await page.close();
  });

  for (const viewport of SIZES) {
    for (const scheme of ["light", "dark"] as const) {
      it(`fits ${viewport.width} px and has no fault that axe finds, ${scheme}`, async () => {
        const { page } = await open(large, viewport, scheme);
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), viewport.width);
        // The page's own policy lets no other script in; this is the debugger's.
        await page.evaluate(await readFile(AXE, "utf8"));
        const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
          "axe.run()",
        );
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
          [],
        );
        await page.close();
      });
    }
  }

  it("filters and pages the decisions by keyboard alone", async () => {
    const { page } = await open(large);
    const count = page.locator("#decision-count");
    const rows = page.getByRole("table", { name: "Decisions" }).locator("tbody tr");
    await page.getByLabel("Containing").focus();
    await page.keyboard.type("x31 ->");
    assert.match((await count.textContent()) ?? "", /^1 to 50 of 78 rounds \(2500 in all\)$/);
    assert.match((await rows.first().textContent()) ?? "", /28x28x31/);
    await tabTo(page, "next");
    await page.keyboard.press("Enter");
    assert.match((await count.textContent()) ?? "", /^51 to 78 of 78/);
    await page.close();
  });

  it("shows one task's latency when its tile is pressed", async () => {
    const { page } = await open(large);
    await page.getByRole("button", { name: /^7: / }).press("Enter");
    await page.getByRole("img", { name: /^Latency of 7: / }).waitFor();
    assert.equal(await page.getByRole("button", { name: /^7: / }).getAttribute("aria-pressed"), "true");
    await page.getByLabel("programs measured").press("Space");
    await page.getByRole("img", { name: /against programs measured/ }).waitFor();
    await page.close();
  });

  it("shows what is in a log as text, whatever it is", async () => {
    const { page, trouble } = await open(hostile);
    await page.getByRole("table", { name: "Decisions" }).getByText(`first of ${HOSTILE}`).waitFor();
    assert.equal(await page.evaluate("window.harmed === undefined"), true);
    assert.deepEqual(trouble, []);
    await page.close();
  });
});

/** Whether something is painted on both canvases. */
const DRAWN = `[...document.querySelectorAll("canvas")].filter((canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)).length === 2`;

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, id: string): Promise<void> {
  for (let press = 0; press < 20; press += 1) {
    await page.keyboard.press("Tab");
    if ((await page.evaluate("document.activeElement.id")) === id) {
      return;
    }
  }
  assert.fail(`No way to #${id} by Tab.`);
}
