import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { tvmPython } from "../../src/worker/installation.js";

const MINUTE = 60_000;

/** The parts of TVM that patches change. */
const PATCHED = ["auto_scheduler", "topi"];

const patch = (...args: string[]) =>
  execa("node", ["scripts/familyseer.js", "patch", ...args], { reject: false, all: true });

/** A real tuning by TVM's own class, on two servers of TVM's own measuring context. */
const TUNING = `
import os
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test
assert "familyseer" not in auto_scheduler.TaskScheduler.__module__
os.environ["TVM_DEVICE_NUMBER"] = "2"
context = auto_scheduler.LocalRPCMeasureContext(number=1, repeat=1, min_repeat_ms=5)
tasks = [auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(n, n, n), target="llvm") for n in (16, 32)]
option = auto_scheduler.TuningOptions(
    num_measure_trials=8, num_measures_per_round=4, runner=context.runner, verbose=0,
    measure_callbacks=[auto_scheduler.RecordToFile("tuned.log")],
)
search = {"evolutionary_search_population": 32, "evolutionary_search_num_iters": 1}
scheduler = auto_scheduler.TaskScheduler(tasks, callbacks=[])
scheduler.tune(option, search_policy="sketch.xgb.family_op", search_policy_params=search)
results = [result for _, result in auto_scheduler.RecordReader("tuned.log")]
print(len(context.server), "servers,", sum(result.error_no == 0 for result in results), "of", len(results), "ran")
print("families:", {str(name): list(members) for name, members in scheduler.family_group.items()})
`;

/** The tests of dense layers, with nothing but the patch to mend them. */
const DENSE_UNMENDED = `
import sys, pytest
from familyseer.ansor import dense
dense.mend_dense = lambda: None
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "test/python/test_dense.py"]))
`;

import { temporaryFolder } from "../helpers/temporary-folder.js";

describe("familyseer patch", function () {
  this.timeout(4 * MINUTE);
  let folder: string;
  let scheduler: string;
  let original: string;
  let version: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    // The tree of the TVM in use, its large parts as links.
    const { stdout } = await execa(tvmPython(), ["-c", "import tvm; print(tvm.__version__); print(tvm.__path__[0])"]);
    const [found = "", installed = ""] = stdout.split("\n").slice(-2);
    version = found;
    await mkdir(join(folder, "tvm"));
    for (const name of await readdir(installed)) {
      if (!PATCHED.includes(name)) {
        await symlink(join(installed, name), join(folder, "tvm", name));
      }
    }
    for (const name of PATCHED) {
      await cp(join(installed, name), join(folder, "tvm", name), { recursive: true });
    }
    scheduler = join(folder, "tvm", "auto_scheduler", "task_scheduler.py");
    original = await readFile(scheduler, "utf8");
  });

  it("gives a tree families and several devices, and takes them away again", async () => {
    assert.equal((await patch("status", folder)).stdout, `TVM ${version} in ${folder}: not applied`);
    assert.equal((await patch("apply", folder)).stdout, `TVM ${version} in ${folder}: applied`);
    const { stdout } = await execa(tvmPython(), ["-c", TUNING], {
      cwd: folder,
      env: { PYTHONPATH: `${folder}:${join(process.cwd(), "python")}` },
    });
    assert.match(stdout, /^2 servers, 8 of 8 ran$/m);
    assert.match(stdout, /^families: \{'\w+': \[0, 1\]\}$/m);
    await execa(tvmPython(), ["-c", DENSE_UNMENDED], { env: { PYTHONPATH: `${folder}:python` } });
    assert.equal((await patch("revert", folder)).exitCode, 0);
    assert.equal(await readFile(scheduler, "utf8"), original);
  });

  it("refuses what it does not match and leaves it as it was", async () => {
    const edited = original.replace("self.tasks = tasks", "self.tasks = list(tasks)");
    await writeFile(scheduler, edited);
    const refused = await patch("apply", folder);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /task_scheduler\.py was edited\. Nothing was changed/);
    assert.equal(await readFile(scheduler, "utf8"), edited);
    assert.equal((await patch("status", folder)).exitCode, 1);

    await writeFile(scheduler, original);
    assert.match((await patch("revert", folder)).stderr, /are not applied in .* already; nothing was changed/);

    assert.match((await patch("apply", join(folder, "tvm", "auto_scheduler"))).stderr, /There is no TVM in/);

    const other = join(folder, "other");
    await mkdir(join(other, "tvm", "_ffi"), { recursive: true });
    await writeFile(join(other, "tvm", "_ffi", "libinfo.py"), '__version__ = "0.11.1"\n');
    const unknown = await patch("apply", other);
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, /is 0\.11\.1; there are patches for 0\.14\.0, 0\.18\.0, 0\.8\.0/);
  });
});
