import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InstallationError } from "../errors.js";

export const TVM_VERSION = "0.18.0";

/** The folder of this package: the one that holds package.json. */
export const packageRoot = findPackageRoot();

/** Where the Python side lies. */
export const pythonFolder = join(packageRoot, "python");

/** The folder that set-up installs into: `$FAMILYSEER_HOME`, or `.familyseer` in this package. */
export function home(): string {
  return resolve(process.env["FAMILYSEER_HOME"] ?? join(packageRoot, ".familyseer"));
}

/**
 * The Python that has TVM: the one named, `$FAMILYSEER_TVM_PYTHON`, or the one set-up installed. For a CUDA target that
 * is the one of `scripts/setup --cuda`, where it is installed.
 *
 * @throws InstallationError if it is not there.
 */
export function tvmPython(named?: string, target = ""): string {
  const chosen = named ?? process.env["FAMILYSEER_TVM_PYTHON"];
  if (chosen !== undefined && chosen !== "") {
    const path = chosen.includes("/") ? resolve(chosen) : findOnPath(chosen);
    if (!path || !isExecutable(path)) {
      throw new InstallationError(
        `There is no Python at ${chosen}. Expected the path of a Python that has TVM, ` +
          "given by --tvm-python or FAMILYSEER_TVM_PYTHON.",
      );
    }
    return path;
  }
  const cuda = installedPython(`tvm-${TVM_VERSION}-cuda`);
  if (isCuda(target) && isExecutable(cuda)) {
    return cuda;
  }
  const installed = installedPython(`tvm-${TVM_VERSION}`);
  if (!isExecutable(installed)) {
    throw new InstallationError(
      `TVM is not installed in ${home()}. Run \`npm run setup\`, or name your own Python with TVM by --tvm-python.`,
    );
  }
  return installed;
}

/** Whether a TVM target, as users write it (`cuda -arch=sm_70`, a tag such as `nvidia/nvidia-v100`, or JSON), is CUDA. */
export function isCuda(target: string): boolean {
  return /^\s*(cuda\b|nvidia\/|\{.*"kind"\s*:\s*"cuda")/s.test(target);
}

function installedPython(build: string): string {
  return join(home(), build, "venv", "bin", "python");
}

function findOnPath(command: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.map((folder) => join(folder, command)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    folder = dirname(folder);
  }
  return folder;
}
