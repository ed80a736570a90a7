import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isCuda, tvmPython } from "../../src/worker/installation.js";
import { temporaryFolder } from "../temporary-folder.js";

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

  it("knows a CUDA target in each of TVM's spellings", () => {
    for (const target of ["cuda", " cuda -arch=sm_70", "nvidia/nvidia-v100", '{"kind": "cuda", "arch": "sm_70"}']) {
      assert.ok(isCuda(target), target);
    }
    for (const target of ["native", "llvm -mcpu=core-avx2", "opencl", '{"kind": "llvm", "tag": "cuda"}']) {
      assert.ok(!isCuda(target), target);
    }
  });
});
