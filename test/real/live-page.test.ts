import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type OutgoingHttpHeaders, request } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import chromium from "@sparticuz/chromium";
import { execa } from "execa";
import { type Browser, chromium as playwright } from "playwright-core";
import { InvalidRequestError } from "../../src/errors.js";
import type { TuneEvent } from "../../src/job/events.js";
import { LivePage } from "../../src/report/live-page.js";
import { LiveServer, text } from "../../src/report/live-server.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { roundLine, startedLine, writeJournal, writeLog } from "../helpers/written-logs.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const TASKS = 40;

/** Round `index` of a job: what is measured in it, and its end. */
function roundEvents(index: number): TuneEvent[] {
  const [before, after] = [index < TASKS ? null : 2e-3, index < TASKS ? 2e-3 : 1e-3 / (1 + index)];
  const task = index % TASKS;
  const reason = { type: "steepest", gradient: -1e-3 } as const;
  const round = { index, task, programs: 8, reason };
  const measured = {
    type: "measured",
    task,
    failure: null,
    message: null,
    device: "local",
    origin: "evolution",
  } as const;
  return [
    { type: "round-started", round },
    ...Array.from({ length: 8 }, (_, program) => ({ ...measured, cost: after * (1 + (7 - program) / 10) })),
    { ...JSON.parse(roundLine({ index, task, at: 0, before, after, reason })), round },
  ];
}

function startedEvent(): TuneEvent {
  const { tasks } = JSON.parse(
    startedLine(
      Array.from({ length: TASKS }, (_, task) => ({
        key: `key ${task}`,
        words: `conv2d 3x3 28x28x${task} -> 64`,
        family: `nn.family${task % 3}`,
      })),
    ),
  );
  const rest = {
    inputs: [],
    tasksFromCache: false,
    trials: 1000,
    trialsPerRound: 8,
    recordsTaken: 0,
    before: { programs: [0], bestCosts: [null] },
    resumed: null,
    notices: [],
  };
  const by = { tuner: "metaschedule", searchPolicy: "meta.xgb.family_op" };
  return { type: "started", ...by, target: "llvm", tasks, threads: 1, ...rest };
}

function finishedEvent(): TuneEvent {
  const reason = { type: "trials-spent", trials: 8 } as const;
  const rest = { score: 1, bestCosts: [], seconds: 1, overheadSeconds: 0, modelsFolder: null, notices: [] };
  return { type: "finished", reason, trials: 8, failures: 0, ...rest };
}

/** A job whose events a test gives, and its page. */
async function job(log: string) {
  const page = await LivePage.open({ log, options: { model: "mlp", mode: "fast" } });
  const events = new PassThrough({ objectMode: true });
  const running = (async () => {
    for await (const event of page.following(events)) {
      void event;
    }
  })();
  const tell = (...told: TuneEvent[]) => told.map((event) => events.write(event));
  const end = async (...told: TuneEvent[]) => {
    tell(...told);
    events.end();
    await running;
  };
  return { page, tell, end };
}

/** Status and text of a request whose headers no browser would send. */
async function ask(address: string, headers: OutgoingHttpHeaders = {}, method = "GET") {
  const asked = request(address, { method, headers, agent: false }).end();
  const [response] = await once(asked, "response");
  const chunks: Buffer[] = await response.toArray();
  return { status: response.statusCode, headers: response.headers, content: Buffer.concat(chunks).toString() };
}

/** As a browser does, it stays connected. */
async function read(address: string): Promise<string> {
  return (await fetch(address)).text();
}

describe("the page of a running job", () => {
  let folder: string;
  let log: string;
  let browser: Browser;
  before(async () => {
    browser = await playwright.launch({
      executablePath: await chromium.executablePath(),
      // Root, as in a container, has no sandbox. A name that points here is what DNS rebinding makes.
      args: ["--no-sandbox", "--host-resolver-rules=MAP rebound.test 127.0.0.1"],
    });
  });
  after(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
    log = join(folder, "live.log");
  });

  it("follows the job to its end, and leaves what a reader does in it as it is", async () => {
    const { page: served, tell, end } = await job(log);
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const trouble: string[] = [];
    page.on("console", (message) => trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(String(error)));
    await page.goto(served.address);
    await page.getByText("The job starts.").waitFor();

    tell(startedEvent(), ...Array.from({ length: TASKS }, (_, index) => roundEvents(index)).flat());
    await page.getByText(`${8 * TASKS} of 1000 programs`).waitFor();
    await page.getByRole("img", { name: `Latency of all ${TASKS} tasks` }).waitFor();
    await page.getByText(/^tuner MetaSchedule, .* search policy meta\.xgb\.family_op/).waitFor();

    await page.getByRole("button", { name: /^7: / }).press("Enter");
    await page.getByText("The curve in numbers").click();
    await page.getByRole("group", { name: "Tasks", exact: true }).evaluate((element) => element.scrollTo(0, 300));
    await page.getByLabel("Containing").focus();
    await page.keyboard.type("28x28x1");
    await page.evaluate("scrollTo(0, 400)");
    tell(...roundEvents(TASKS + 1));
    await page.getByText(`${8 * TASKS + 8} of 1000 programs`).waitFor();
    assert.match((await page.locator("#decision-count").textContent()) ?? "", /of 12 rounds \(41 in all\)/);
    assert.deepEqual(
      await page.evaluate(`[scrollY, document.activeElement.id, document.querySelector("details").open,
        document.getElementById("selection").value, document.getElementById("tasks").scrollTop]`),
      [400, "text", true, "task 7", 300],
    );
    await page.getByRole("button", { name: /^1: / }).focus();
    tell(...roundEvents(2 * TASKS + 1));
    await page.getByText(`${8 * TASKS + 16} of 1000 programs`).waitFor();
    assert.equal(await page.evaluate("document.activeElement.id"), "tile-1");

    await end(finishedEvent());
    await page.getByText("The job has ended; this page stays as it is.").waitFor();
    await page.getByText("Why: the trials are spent").waitFor();
    assert.deepEqual(trouble, []);
    await page.close();
  });

  for (const width of [1280, 390]) {
    for (const colorScheme of ["light", "dark"] as const) {
      it(`fits ${width} px and has no fault that axe finds, ${colorScheme}`, async () => {
        const { page: served, tell, end } = await job(log);
        tell(startedEvent(), ...roundEvents(0), ...roundEvents(1).slice(0, 1));
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        await page.goto(served.address);
        await page.getByText("8 of 1000 programs").waitFor();
        await page.getByText("Round 1: conv2d 3x3 28x28x1 -> 64, steepest gradient -1.00e-3").waitFor();
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width);
        await page.evaluate(await readFile(AXE, "utf8"));
        const { violations } = await page.evaluate<{ violations: { id: string }[] }>("axe.run()");
        assert.deepEqual(violations, []);
        await page.close();
        await end();
      });
    }
  }

  it("shows what its log held before, and why a job failed", async () => {
    await writeLog(log, [{ key: "key 0", cost: 1e-3, at: 1 }]);
    await writeJournal(log, [startedLine([{ key: "key 0", words: "dense 1x8" }])]);
    const page = await LivePage.open({ log, options: {} });
    async function* failing(): AsyncGenerator<TuneEvent> {
      yield startedEvent();
      yield* roundEvents(1);
      const { runs, live } = JSON.parse(await read(`${page.address}data?after=0`));
      assert.deepEqual([runs[0].trials, live.measured, live.state], [9, 8, "running"]);
      throw new Error("the worker is gone");
    }
    const last = (async () => {
      for await (const event of page.following(failing())) {
        void event;
      }
    })();
    const failed = assert.rejects(last, /the worker is gone/);
    let content = "";
    while (!content.includes(`"state":"ended","words":"the worker is gone"`)) {
      content = await read(page.address);
    }
    await failed;
  });

  it("answers its own address alone: whoever comes by another name, from another page or with a guess sees nothing", async () => {
    const { page, tell, end } = await job(log);
    tell(startedEvent());
    const { host, port } = new URL(page.address);
    const foreign: OutgoingHttpHeaders[] = [
      { Host: "rebound.test" },
      { Host: `rebound.test:${port}` },
      { Host: "127.0.0.1" },
      { Host: `127.0.0.1:${Number(port) - 1}` },
      { Host: `127.0.0.1.rebound.test:${port}` },
      { Origin: "https://rebound.test" },
      { Origin: "null" },
      { Origin: `https://${host}` },
      { Origin: `http://localhost:${port}` },
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
    ];
    for (const address of [page.address, `${page.address}data?after=0`]) {
      for (const headers of foreign) {
        const { status, content } = await ask(address, headers);
        assert.equal(status, 403, JSON.stringify(headers));
        assert.doesNotMatch(content, /conv2d/);
      }
      for (const headers of [
        {},
        { Host: `localhost:${port}` },
        { Host: `[::1]:${port}` },
        { Origin: `http://${host}` },
      ]) {
        const { status, content } = await ask(address, headers);
        assert.equal(status, 200, JSON.stringify(headers));
        assert.match(content, /conv2d/);
      }
      for (const method of ["POST", "PUT", "OPTIONS", "HEAD"]) {
        assert.equal((await ask(address, {}, method)).status, 405);
      }
    }
    for (const path of ["/", "/data?after=0", "/guess/", `${new URL(page.address).pathname}../`]) {
      const { status, content } = await ask(`http://${host}${path}`);
      assert.equal(status, 404, path);
      assert.doesNotMatch(content, /conv2d/);
    }
    const { headers } = await ask(page.address);
    assert.match(headers["content-security-policy"], /default-src 'none'.*connect-src 'self'; frame-ancestors 'none'/);
    assert.deepEqual(
      [headers["x-content-type-options"], headers["access-control-allow-origin"], headers["cache-control"]],
      ["nosniff", undefined, "no-store"],
    );
    await end();
  });

  it("is closed to other pages in the same browser, by link, frame, script, request and rebound name", async () => {
    const { page: served, tell, end } = await job(log);
    tell(startedEvent());
    const other = createServer((_, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end(`<a href="${served.address}">link</a><iframe src="${served.address}"></iframe>`);
    }).listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const page = await browser.newPage();
    await page.goto(`http://rebound.test:${typeof address === "object" ? address?.port : 0}/`);
    assert.equal(
      await page.evaluate(
        `fetch("${served.address}data?after=0").then((response) => response.text(), () => "refused")`,
      ),
      "refused",
    );
    const [, frame, ...others] = page.frames();
    assert.doesNotMatch((await frame?.content()) ?? assert.fail("no frame"), /conv2d/);
    assert.deepEqual(others, []);
    const [response] = await Promise.all([page.waitForResponse(served.address), page.getByText("link").click()]);
    assert.equal(response.status(), 403);
    const rebound = await page.goto(served.address.replace("127.0.0.1", "rebound.test"));
    assert.equal(rebound?.status(), 403);
    await page.close();
    other.close();
    await end();
  });

  it("refuses a port that is taken and a log that is none, before the job begins", async () => {
    const { page, end } = await job(log);
    const port = Number(new URL(page.address).port);
    await assert.rejects(
      LivePage.open({ log, options: {}, port }),
      (error) => error instanceof InvalidRequestError && /EADDRINUSE.*another port/.test(error.message),
    );
    await end();
    await writeFile(log, "time,latency\n");
    await assert.rejects(LivePage.open({ log, options: {} }), /Line 1 of .* is not a record/);
  });
});

describe("the live page's server", () => {
  it("cuts a reader off that does not take its answer", async () => {
    const content = Buffer.alloc(64 << 20, "x");
    const server = await LiveServer.listen(0, async () => ({ status: 200, type: "text/plain", content }), 200);
    const socket = connect(server.port, "127.0.0.1").pause();
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    // The server waits until nobody is connected, and would wait for a minute.
    await server.close(60_000);
    let taken = 0;
    socket.on("data", (chunk: Buffer) => {
      taken += chunk.length;
    });
    await once(socket.resume(), "close");
    assert.ok(taken < content.length);
  });

  it("hears no more than a few connections at once, and none that sends no request", async () => {
    const server = await LiveServer.listen(0, async () => text(200, "here"), 200);
    const sockets = Array.from({ length: 40 }, () => connect(server.port, "127.0.0.1").on("error", () => undefined));
    await Promise.all(sockets.map((socket) => once(socket.resume(), "close")));
    assert.equal((await ask(`http://127.0.0.1:${server.port}/`)).content, "here\n");
    await server.close();
  });

  it("keeps no process alive", async () => {
    const { href: module } = new URL("../../src/report/live-page.js", import.meta.url);
    const script = `const { LivePage } = await import("${module}");
      const page = await LivePage.open({ log: "none.log", options: {} });
      console.log((await fetch(page.address)).status);`;
    const { stdout } = await execa("node", ["--input-type=module", "-e", script], { timeout: 20_000 });
    assert.equal(stdout, "200");
  });
});
