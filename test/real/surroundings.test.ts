import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { CHANNELS } from "../../src/worker/channel.js";
import { tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** A folder's name with all that paths may have, and long enough that no socket fits in it. */
const ODD = `${'a long\'name of "odd" %20 ch:aractérs; '.repeat(4)}$HOME`;
const COMMAND_LINE = resolve("scripts/familyseer.js");

const tuning = (...more: string[]) => {
  const small = ["--population", "32", "--generations", "1", "--min-repeat-ms", "5", "--number", "1"];
  return ["tune", "--model", "mlp", "--target", "llvm", "--trials", "8", "--log", "t.log", ...small, ...more];
};

/** What users' machines are like. */
describe("the user's surroundings", function () {
  this.timeout(300_000);
  let folder: string;
  let environment: Record<string, string>;
  beforeEach(async () => {
    folder = join(await temporaryFolder(), ODD);
    await mkdir(join(folder, "temporary"), { recursive: true });
    environment = {
      FAMILYSEER_TVM_PYTHON: tvmPython(),
      FAMILYSEER_HOME: join(folder, "home"),
      TMPDIR: join(folder, "temporary"),
    };
  });

  const familyseer = (args: string[], env: Record<string, string> = {}) =>
    execa("node", [COMMAND_LINE, ...args], { cwd: folder, env: { ...environment, ...env }, reject: false });

  // As in a user's file: the current folder held a random.py, which the worker imported.
  for (const channel of CHANNELS) {
    it(`are no matter to ${channel}: files of Python's names, paths of any kind, a PYTHONPATH of the user's`, async () => {
      for (const name of ["random", "inspect", "tempfile", "runpy", "numpy", "sitecustomize"]) {
        await writeFile(join(folder, `${name}.py`), "raise ImportError('a file of the current folder was imported')");
      }
      for (const name of ["tvm", "familyseer"]) {
        await mkdir(join(folder, name));
        await writeFile(
          join(folder, name, "__init__.py"),
          "raise ImportError('a file of the current folder was imported')",
        );
      }
      // A PYTHONPATH cannot name a path with a colon in it.
      const theirs = await temporaryFolder();
      const started = join(theirs, "started");
      await writeFile(
        join(theirs, "sitecustomize.py"),
        `import os, sys\nwith open(${JSON.stringify(started)}, "a") as file: print(getattr(sys, "orig_argv", sys.argv), file=file)`,
      );
      const { exitCode, all } = await familyseer(tuning("--channel", channel), { PYTHONPATH: `:${theirs}:` }).then(
        ({ exitCode, stdout, stderr }) => ({ exitCode, all: `${stdout}\n${stderr}` }),
      );
      assert.equal(exitCode, 0, all);
      const costs = (await readFile(join(folder, "t.log"), "utf8")).trim().split("\n");
      assert.equal(costs.length, 8);
      assert.ok(costs.every((line) => JSON.parse(line).r[1] === 0));
      // The processes that build and run found what the user's PYTHONPATH names.
      assert.match(await readFile(started, "utf8"), /familyseer\.measuring\.fork_server/);
    });
  }

  it("may be a home that nothing can be written to, where TVM makes a folder", async () => {
    const { exitCode, stderr } = await familyseer(["tasks", "--model", "mlp"], { HOME: "/proc" });
    assert.equal(exitCode, 0, stderr);
  });

  it("may not be a current folder that was removed", async () => {
    const command = 'mkdir gone && cd gone && rmdir ../gone && exec node "$0" tasks --model mlp';
    const { exitCode, stderr } = await execa("sh", ["-c", command, COMMAND_LINE], { cwd: folder, reject: false });
    assert.match(stderr, /^familyseer: The current folder was removed\. Go to one that is there/);
    assert.equal(exitCode, 2);
  });

  it("are refused with one message and exit code 2 where they cannot be", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const python = environment["FAMILYSEER_TVM_PYTHON"] as string;
    const cases: [string[], Record<string, string>, RegExp][] = [
      [[], { TMPDIR: join(folder, "none") }, /^familyseer: Nothing can be written to .*none.*\(ENOENT\)\. Set TMPDIR/],
      [[], { TMPDIR: file }, /^familyseer: Nothing can be written to .*file.*\(ENOTDIR\)\. Set TMPDIR/],
      [["--channel", "pythonia"], { TMPDIR: file }, /^familyseer: Nothing can be written to/],
      [
        [],
        { FAMILYSEER_TVM_PYTHON: file },
        /^familyseer: There is no Python at .*file, which FAMILYSEER_TVM_PYTHON names/,
      ],
      [
        [],
        { FAMILYSEER_TVM_PYTHON: folder },
        /^familyseer: There is no Python at .*, which FAMILYSEER_TVM_PYTHON names/,
      ],
      [["--tvm-python", "/bin/sh"], {}, /^familyseer: --tvm-python names \/bin\/sh, FAMILYSEER_TVM_PYTHON names/],
      [["--tvm-python", file], {}, /^familyseer: There is no Python at .*file, which --tvm-python names/],
      [
        ["--tvm-python", python],
        { FAMILYSEER_TVM_PYTHON: "", FAMILYSEER_HOME: file },
        /FAMILYSEER_HOME names .*file, which/,
      ],
      [[], { FAMILYSEER_TVM_PYTHON: "" }, /TVM is not installed in .*home, which FAMILYSEER_HOME names/],
      [[], { FAMILYSEER_TVM_PYTHON: "python3" }, /python3.* lacks .*tvm \(TVM 0\.8 to 0\.19.*FAMILYSEER_TVM_PYTHON/],
      [
        ["--channel", "node-calls-python"],
        { FAMILYSEER_TVM_PYTHON: "python3" },
        /^familyseer: The worker could not start: .* lacks /,
      ],
      [
        ["--channel", "pythonia"],
        { FAMILYSEER_TVM_PYTHON: "python3" },
        /^familyseer: The worker could not start: .* lacks /,
      ],
      [["--endpoint", `ipc://${join(folder, "socket")}`], {}, /is too long: a socket's path may have 107 bytes/],
    ];
    for (const [args, env, message] of cases) {
      const { exitCode, stderr } = await familyseer(tuning(...args), env);
      assert.match(stderr, message);
      assert.equal(exitCode, 2, stderr);
    }
  });
});
