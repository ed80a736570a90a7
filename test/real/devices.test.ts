import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { tune } from "../../src/job/tuner.js";
import { readLog } from "../../src/records/log.js";
import { tvmPython } from "../../src/worker/installation.js";
import { freePort } from "../helpers/free-port.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const MINUTE = 60_000;
const KEY = "test-device";

function familyseer(...args: string[]) {
  return execa("node", ["scripts/familyseer.js", ...args], { reject: false, all: true });
}

interface Listed {
  readonly name: string;
  readonly key: string | null;
  readonly programs?: number;
  readonly failures?: number;
}

describe("a user's tracker with two servers", function () {
  this.timeout(4 * MINUTE);
  const groups: number[] = [];
  let folder: string;
  let tracker: string;

  const listed = async (...flags: string[]): Promise<Listed[]> => {
    const { stdout, exitCode } = await familyseer("devices", "--tracker", tracker, "--json", ...flags);
    return exitCode === 0 ? JSON.parse(stdout) : [];
  };

  before(async () => {
    folder = await temporaryFolder();
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    tracker = `127.0.0.1:${ports[0]}`;
    for (const [index, port] of ports.entries()) {
      const place = ["--host", "127.0.0.1", "--port", String(port), "--port-end", String(port + 1)];
      const part = index === 0 ? ["rpc_tracker"] : ["rpc_server", "--tracker", tracker, "--key", KEY];
      const [module = "", ...options] = part;
      const command = ["-m", `tvm.exec.${module}`, ...place, ...options];
      const { pid } = execa(tvmPython(), command, { detached: true, stdio: "ignore", reject: false });
      groups.push(Number(pid));
    }
    while ((await listed("--device-key", KEY)).length < 2) {
      await setTimeout(200);
    }
  });
  after(() => {
    for (const group of groups) {
      // TVM's servers do not end with their parents.
      process.kill(-group, "SIGKILL");
    }
  });

  it("measures a tuning on both, and tells what each did", async () => {
    const log = join(folder, "t.log");
    const quick = ["--population", "32", "--generations", "1", "--min-repeat-ms", "5", "--number", "1"];
    const rounds = ["--trials", "12", "--trials-per-round", "6", "--foresee-trials", "2"];
    const place = ["--tracker", tracker, "--device-key", KEY];
    const { exitCode, all } = await familyseer("tune", "--model", "mlp", "--log", log, ...rounds, ...quick, ...place);
    assert.equal(exitCode, 0, all);
    const records = await readLog(log);
    assert.equal(records.length, 12);
    const devices = await listed("--log", log);
    assert.deepEqual(
      devices.map(({ key }) => key),
      [KEY, KEY],
    );
    const journal = await readFile(`${log}.journal.jsonl`, "utf8");
    const built = records.filter(({ cost }) => cost !== null).length;
    assert.ok(devices.reduce((sum, { programs = 0 }) => sum + programs, 0) >= built, journal);
  });

  it("is measured on in rounds of as many programs as are built at once", async () => {
    const sizes = [];
    for (const parallel of [12, 3]) {
      const options = { model: "mlp", target: "llvm", trials: 96, parallel, tracker, deviceKey: KEY } as const;
      for await (const event of tune({ ...options, log: join(folder, `${parallel}-builders.log`) })) {
        if (event.type === "started") {
          sizes.push([event.trialsPerRound, event.notices.find((notice) => notice.startsWith("rounds have"))]);
          break;
        }
      }
    }
    assert.deepEqual(sizes, [
      [12, "rounds have 12 programs, for 12 builders and 2 devices; --trials-per-round says otherwise"],
      [9, "rounds have 9 programs, for 3 builders and 2 devices; --trials-per-round says otherwise"],
    ]);
  });

  it("refuses a key that no server has, and an address that is none, with exit code 2", async () => {
    const tuning = ["tune", "--model", "mlp", "--trials", "4", "--log", join(folder, "refused.log")];
    const wrongKey = await familyseer(...tuning, "--tracker", tracker, "--device-key", "nobodys");
    assert.equal(wrongKey.exitCode, 2, wrongKey.all);
    assert.match(wrongKey.stderr, /no server with key nobodys\. Its keys: test-device\./);
    const noPort = await familyseer(...tuning, "--tracker", "somewhere", "--device-key", KEY);
    assert.equal(noPort.exitCode, 2, noPort.all);
    assert.match(noPort.stderr, /somewhere is not the address of a tracker/);
    const noKey = await familyseer(...tuning, "--tracker", tracker);
    assert.equal(noKey.exitCode, 2, noKey.all);
    assert.match(noKey.stderr, /needs the key of its devices/);
  });
});
