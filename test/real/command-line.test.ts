import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { execa } from "execa";
import { readLog } from "../../src/records/log.js";
import { tvmPython } from "../../src/worker/installation.js";
import { requireOneCasing } from "../helpers/casing.js";
import { processesWith } from "../helpers/processes-with.js";
import { scriptedPython } from "../helpers/scripted-tuning.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;

function familyseer(...args: string[]) {
  // One that the tests were given would contradict the option.
  const env = args.includes("--tvm-python") ? { FAMILYSEER_TVM_PYTHON: "" } : {};
  return execa("node", ["scripts/familyseer.js", ...args], { reject: false, all: true, env });
}

describe("the command line", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  const tuning = (...changes: string[]) => [
    "tune",
    "--model",
    "mlp",
    "--mode",
    "reference",
    "--trials",
    "8",
    "--trials-per-round",
    "2",
    "--foresee-trials",
    "2",
    "--log",
    join(folder, "t.log"),
    "--population",
    "32",
    "--generations",
    "1",
    "--min-repeat-ms",
    "5",
    "--number",
    "1",
    ...changes,
  ];

  it("refuses bad input with one message, exit code 2 and nothing written", async () => {
    const withoutTvm = join(folder, "without-tvm");
    // A real Python that sees no packages at all.
    await writeFile(
      withoutTvm,
      '#!/bin/sh\nexec python3 -I -S -c "import sys; sys.path.insert(0, \\"python\\"); sys.argv[1:3] = []; import runpy; runpy.run_module(\\"familyseer.worker\\", run_name=\\"__main__\\")" "$@"\n',
    );
    await chmod(withoutTvm, 0o755);
    const otherVersion = await scriptedPython(folder, { protocol: 999 });
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const cases: [string[], RegExp][] = [
      [["--model", "mobilenetv2_05"], /Unknown model: mobilenetv2_05\. Did you mean mobilenetv2_0\.5/],
      [["--model", "package.json"], /package\.json is no Relay module: it has no nodes/],
      [["--model", "nowhere/net.onnx"], /There is no network nowhere\/net\.onnx/],
      [["--target", "lvm"], /Unknown target: lvm/],
      [["--search-policy", "sketch.xgb.op"], /^familyseer: Invalid search policy: sketch\.xgb\.op: .*third part/],
      [["--threads", "0"], /0 threads are asked for\. Expected a whole number of at least 1/],
      [["--threads", "4096"], /--threads says 4096 threads, where this process may use \d+ CPU/],
      [["--trials", "3"], /3 trials are too few: there are 4 tasks/],
      [["--log", "/nowhere/t.log"], /cannot be written: there is no folder/],
      [["--log", "package.json"], /is not a record/],
      [["--tvm-python", "/nowhere/python"], /There is no Python at/],
      [["--endpoint", `tcp://127.0.0.1:${port}`], /Cannot listen on tcp/],
      [["--endpoint", "tcp://0.0.0.0:5555"], /not on this machine/],
      [["--tvm-python", withoutTvm], /lacks tvm/],
      [["--tvm-python", otherVersion], /speaks protocol version 999, this side version/],
      [["--trials", "many"], /Expected a whole number/],
      [["--page", "65536"], /Expected a port, at most 65535/],
      [["--page", `${port}`], /cannot be served on 127\.0\.0\.1:\d+ \(EADDRINUSE\)\. Name another port/],
    ];
    for (const [changes, message] of cases) {
      const { exitCode, stderr } = await familyseer(...tuning(...changes));
      assert.match(stderr, message);
      assert.equal(exitCode, 2, changes.join(" "));
    }
    server.close();
    assert.deepEqual(
      (await readdir(folder)).sort((a, b) => a.localeCompare(b)),
      ["python", "without-tvm"],
    );
  });

  it("refuses a log that holds nothing or is none, by every command that only reads one", async () => {
    const empty = join(folder, "empty.log");
    await writeFile(empty, "");
    const cases: [string, RegExp][] = [
      [empty, /^familyseer: The log .*empty\.log holds no record\. Expected a file/],
      ["package.json", /^familyseer: Line 1 of package\.json is not a record/],
      [join(folder, "absent.log"), /^familyseer: The log .* cannot be read \(ENOENT\)/],
    ];
    for (const command of ["best", "report"]) {
      for (const [log, message] of cases) {
        const { exitCode, stderr } = await familyseer(command, log);
        assert.match(stderr, message);
        assert.equal(exitCode, 2, `${command} ${log}`);
      }
    }
    assert.deepEqual(await readdir(folder), ["empty.log"]);
  });

  it("lists a network's tasks the second time without a worker", async () => {
    const python = join(folder, "python");
    const started = join(folder, "started");
    await writeFile(python, `#!/bin/sh\necho "$2" >> "${started}"\nexec "${tvmPython()}" "$@"\n`);
    await chmod(python, 0o755);
    const list = (...args: string[]) =>
      execa("node", ["scripts/familyseer.js", ...args, "--model", "mlp", "--tvm-python", python], {
        env: { FAMILYSEER_HOME: folder, FAMILYSEER_TVM_PYTHON: "" },
      });
    const { stdout: first } = await list("tasks", "--json");
    assert.equal(JSON.parse(first).length, 4);
    requireOneCasing(JSON.parse(first));
    assert.equal((await list("tasks", "--json")).stdout, first);
    assert.match((await list("families")).stdout, /family group : nn.dense --- \[/);
    assert.deepEqual(Object.keys(JSON.parse((await list("families", "--json")).stdout)), ["nn.dense", "nn.softmax"]);
    assert.equal((await list("tasks", "--json", "--batch", "2")).stdout === first, false);
    const modules = (await readFile(started, "utf8")).trim().split("\n");
    const [described, worker] = ["familyseer.descriptions", "familyseer.worker"];
    assert.deepEqual(modules, [described, worker, described, described, described, described, worker]);
    await assert.rejects(
      list("tasks", "--tuner", "metaschedule"),
      /has the tuner ansor, and metaschedule is asked for/,
    );
  });

  it("tunes a real network: records TVM reads, a journal, cost models, a table, and a page while it runs", async () => {
    const running = familyseer(...tuning("--search-policy", "sketch.xgb.family_op", "--page"));
    const shown: Promise<string>[] = [];
    running.stdout?.on("data", (text: Buffer) => {
      const address = /live page: (\S+)/.exec(stderr)?.[1];
      if (shown.length === 0 && text.toString().includes("round 1:")) {
        shown.push(fetch(`${address}data?after=0`).then((response) => response.text()));
      }
    });
    let stderr = "";
    running.stderr?.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    const { exitCode, all } = await running;
    assert.equal(exitCode, 0, all);
    const { live, runs } = JSON.parse((await shown[0]) ?? "{}");
    assert.deepEqual([live.state, live.trials, runs[0].trials], ["running", 8, live.measured]);
    assert.ok(runs[0].decisions.length > 0);
    assert.match(all, /family .*latency \(ms\)/);
    const log = join(folder, "t.log");
    assert.equal((await readLog(log)).length, Number(/(\d+) programs measured/.exec(all)?.[1]));
    const journal = (await readFile(`${log}.journal.jsonl`, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual([journal[0].type, journal.at(-1).type], ["started", "finished"]);
    assert.ok((await readdir(`${log}.models`)).includes("models.json"));
    const best = await familyseer("best", log, "--json", "--distill", join(folder, "best.log"));
    assert.equal(JSON.parse(best.stdout).length, 4);
  });

  it("searches ahead while a round is measured: no program is measured twice, none is lost", async () => {
    const { exitCode, all } = await familyseer(...tuning("--overlap", "--no-retime"));
    assert.equal(exitCode, 0, all);
    const records = (await readFile(join(folder, "t.log"), "utf8")).trim().split("\n");
    assert.equal(records.length, Number(/(\d+) programs measured/.exec(all)?.[1]));
    assert.equal(new Set(records.map((line) => JSON.stringify(JSON.parse(line).i))).size, records.length);
  });

  it("searches in several processes, each with families of its own, and saves all their models", async () => {
    const { exitCode, all } = await familyseer(
      ...tuning("--mode", "fast", "--no-retime", "--overlap", "--workers", "2"),
    );
    assert.equal(exitCode, 0, all);
    const records = (await readFile(join(folder, "t.log"), "utf8")).trim().split("\n");
    assert.equal(records.length, 8);
    assert.equal(new Set(records.map((line) => JSON.stringify(JSON.parse(line).i))).size, records.length);
    const read = async (name: string) => JSON.parse(await readFile(join(folder, "t.log.models", name), "utf8"));
    const names = (await read("models.json")).map(({ name }: { name: string }) => name);
    assert.deepEqual(names.toSorted(), ["nn.dense", "nn.softmax"]);
    const families = (await read("schedules.json")).tasks.map(({ family }: { family: string }) => family);
    assert.deepEqual(new Set(families), new Set(names));
    const resumed = await familyseer(...tuning("--mode", "fast", "--trials", "12", "--resume"));
    assert.equal(resumed.exitCode, 0, resumed.all);
    const refused = await familyseer(...tuning("--workers", "2", "--endpoint", "ipc:///nowhere"));
    assert.match(refused.all ?? "", /^familyseer: 2 workers cannot share what --endpoint asks for/);
  });

  it("ends on Ctrl-C with what was measured, a summary and exit code 130", async () => {
    const running = execa("node", ["scripts/familyseer.js", ...tuning("--trials", "400")], {
      reject: false,
      all: true,
      env: { FAMILYSEER_TEST_RUN: folder },
    });
    running.stdout?.on("data", (text: Buffer) => {
      if (text.toString().includes("round 0:")) {
        running.kill("SIGINT");
      }
    });
    const { exitCode, all } = await running;
    assert.equal(exitCode, 130, all);
    assert.match(all ?? "", /cancelled: \d+ programs measured/);
    assert.ok((await readLog(join(folder, "t.log"))).length > 0);
    assert.deepEqual(await processesWith(`FAMILYSEER_TEST_RUN=${folder}`), []);
  });

  it("ends on Ctrl-C while a search goes on beside what was found ahead, and before TVM is there, at once", async () => {
    const mark = `FAMILYSEER_TEST_RUN=${folder}`;
    const begin = (...changes: string[]) =>
      execa("node", ["scripts/familyseer.js", ...tuning("--json", "--trials", "400", ...changes)], {
        reject: false,
        env: { FAMILYSEER_TEST_RUN: folder },
      });
    const searching = begin("--overlap", "--population", "256");
    let told = 0;
    for await (const line of searching.iterable()) {
      const { type, round } = JSON.parse(line);
      told += type === "measured" ? 1 : 0;
      if (type === "round-started" && round.index === 1) {
        searching.kill("SIGINT");
      }
    }
    const searched = await searching;
    assert.equal(searched.exitCode, 130, searched.stderr);
    assert.match(searched.stdout, /"type":"finished","reason":\{"type":"cancelled"\}.*$/);
    assert.equal((await readLog(join(folder, "t.log"))).length, told);
    assert.deepEqual(await processesWith(mark), []);

    const starting = begin("--log", join(folder, "u.log"));
    // This process's own child, and its worker.
    while ((await processesWith(mark)).length < 2) {
      await setImmediate();
    }
    const from = performance.now();
    starting.kill("SIGINT");
    const started = await starting;
    assert.equal(started.exitCode, 130, started.stderr);
    // A worker that is not at anything has more time than that to end by itself.
    assert.ok(performance.now() - from < 2500, `${performance.now() - from} ms`);
    assert.match(started.stdout, /^\{"type":"finished","reason":\{"type":"cancelled"\},"trials":0/);
    assert.deepEqual(await processesWith(mark), []);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith("u.log")),
      [],
    );
  });
});
