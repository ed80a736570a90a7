import assert from "node:assert/strict";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InstallationError } from "../../../src/errors.js";
import { isCuda } from "../../../src/target.js";
import {
  home as installed,
  libraryFolder,
  METASCHEDULE_TVM_VERSION,
  packageRootAbove,
  pythonPath,
  TVM_VERSION,
  tvmPython,
} from "../../../src/worker/installation.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

describe("which TVM is used", () => {
  const kept = { ...process.env };
  let home: string;
  beforeEach(async () => {
    home = await temporaryFolder();
    process.env["FAMILYSEER_HOME"] = home;
    delete process.env["FAMILYSEER_TVM_PYTHON"];
  });
  afterEach(() => {
    process.env = { ...kept };
  });

  async function install(build: string): Promise<string> {
    const folder = join(home, build, "venv", "bin");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "python"), "");
    await chmod(join(folder, "python"), 0o755);
    return join(folder, "python");
  }

  it("is not what says where the library is: the option, FAMILYSEER_LIBRARY, or a folder in the home", () => {
    process.env["FAMILYSEER_LIBRARY"] = "";
    assert.equal(libraryFolder(), join(home, "library"));
    assert.equal(libraryFolder(null), null);
    process.env["FAMILYSEER_LIBRARY"] = "none";
    assert.equal(libraryFolder(), null);
    assert.equal(libraryFolder("/l"), "/l");
    process.env["FAMILYSEER_LIBRARY"] = "/m";
    assert.equal(libraryFolder(), "/m");
    assert.equal(libraryFolder(null), null);
  });

  it("is the CUDA build for a CUDA target where it is installed, the CPU's for all else, and always the one named", async () => {
    const cpu = await install("tvm-0.18.0");
    assert.equal(tvmPython(undefined, "cuda -arch=sm_70"), cpu);
    const cuda = await install("tvm-0.18.0-cuda");
    assert.equal(tvmPython(undefined, "cuda -arch=sm_70"), cuda);
    assert.equal(tvmPython(undefined, "native"), cpu);
    assert.equal(tvmPython(), cpu);
    assert.equal(tvmPython(cpu, "cuda"), cpu);
    process.env["FAMILYSEER_TVM_PYTHON"] = cpu;
    assert.equal(tvmPython(undefined, "cuda"), cpu);
  });

  it("is the one of the tuner asked for, Ansor's before MetaSchedule's where none is, and what is missing is named", async () => {
    assert.throws(() => tvmPython(), /TVM is not installed in .*Run `npm run setup`,/);
    const today = await install(`tvm-${METASCHEDULE_TVM_VERSION}`);
    assert.equal(tvmPython(), today);
    assert.equal(tvmPython(undefined, "cuda"), today);
    assert.throws(() => tvmPython(undefined, "cuda", "ansor"), /TVM 0\.18\.0, which has Ansor, .*Run `npm run setup`,/);
    const ansor = await install(`tvm-${TVM_VERSION}`);
    const cuda = await install(`tvm-${TVM_VERSION}-cuda`);
    assert.equal(tvmPython(), ansor);
    assert.equal(tvmPython(undefined, "cuda", "ansor"), cuda);
    assert.equal(tvmPython(undefined, "cuda", "metaschedule"), today);
    assert.equal(tvmPython(ansor, "native", "metaschedule"), ansor, "whether it fits, its worker says");
    await rm(today);
    assert.throws(() => tvmPython(undefined, "", "metaschedule"), /which has MetaSchedule, .*setup -- --tvm 0\.27`/);
  });

  it("is not guessed where the option and the variable name two, and an empty variable names none", async () => {
    const [cpu, cuda] = [await install("tvm-0.18.0"), await install("tvm-0.18.0-cuda")];
    process.env["FAMILYSEER_TVM_PYTHON"] = cpu;
    assert.equal(tvmPython(cpu), cpu);
    assert.throws(() => tvmPython(cuda), /--tvm-python names .*, FAMILYSEER_TVM_PYTHON names .*unset the variable/);
    process.env["FAMILYSEER_TVM_PYTHON"] = "";
    assert.equal(tvmPython(cuda), cuda);
    process.env["FAMILYSEER_HOME"] = "";
    assert.match(installed(), /\.familyseer$/);
    process.env["FAMILYSEER_HOME"] = cpu;
    assert.throws(installed, /FAMILYSEER_HOME names .*, which is no folder/);
  });

  it("finds our package first, then what the user's PYTHONPATH names, and not the current folder for an empty entry", () => {
    process.env["PYTHONPATH"] = ":/theirs::/more:";
    assert.equal(pythonPath(["/ours"]), "/ours:/theirs:/more");
    delete process.env["PYTHONPATH"];
    assert.equal(pythonPath(["/ours"]), "/ours");
  });

  it("is an error, and no endless loop, where no package.json is above our code", () => {
    assert.throws(() => packageRootAbove("/"), InstallationError);
    assert.throws(() => packageRootAbove(home), /There is no package\.json in .* or above/);
    assert.equal(packageRootAbove(join(process.cwd(), "src", "worker")), process.cwd());
  });

  it("knows a CUDA target in each of TVM's spellings", () => {
    for (const target of [
      "cuda",
      " cuda -arch=sm_70",
      "nvidia/nvidia-v100",
      '{"kind": "cuda", "arch": "sm_70"}',
      '{"tag": "nvidia/nvidia-v100"}',
    ]) {
      assert.ok(isCuda(target), target);
    }
    for (const target of ["native", "llvm -mcpu=core-avx2", "opencl", '{"kind": "llvm", "tag": "cuda"}']) {
      assert.ok(!isCuda(target), target);
    }
  });
});
