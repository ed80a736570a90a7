import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InstallationError, InvalidRequestError } from "../errors.js";
import { isCuda } from "../target.js";
import type { TunerName } from "../tuner-name.js";

/** The TVM that set-up installs where none is named, and the newest with MetaSchedule; `scripts/tvm-version` says the same to scripts. */
export const TVM_VERSION = "0.18.0";
export const METASCHEDULE_TVM_VERSION = "0.27.0.post1";
const TVM_PYTHON = "FAMILYSEER_TVM_PYTHON";

/** The folder of this package: the one that holds package.json. */
export const packageRoot = packageRootAbove(dirname(fileURLToPath(import.meta.url)));

/** This package's version, as package.json has it. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string }).version;
}

/** Where the Python side lies. */
export const pythonFolder = join(packageRoot, "python");

/**
 * The folder that set-up installs into: `$FAMILYSEER_HOME`, or `.familyseer` in this package.
 *
 * @throws InstallationError if the variable names a file.
 */
export function home(): string {
  const named = environmentVariable("FAMILYSEER_HOME");
  if (named !== undefined && statSync(named, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw new InstallationError(
      `FAMILYSEER_HOME names ${named}, which is no folder. Expected the folder that set-up installs into.`,
    );
  }
  return resolve(named ?? join(packageRoot, ".familyseer"));
}

/**
 * The folder of the library of earlier jobs: the one named, `$FAMILYSEER_LIBRARY`, or `library` in {@link home}; null where it is
 * turned off, by null or by the variable's `none`.
 */
export function libraryFolder(named?: string | null): string | null {
  const asked = named === undefined ? environmentVariable("FAMILYSEER_LIBRARY") : (named ?? "none");
  return asked === "none" ? null : resolve(asked ?? join(home(), "library"));
}

/** How a module of our Python package is started, so that nothing is imported from the current folder. */
export function pythonArguments(module: string, ...args: readonly string[]): string[] {
  return [join(pythonFolder, "familyseer", "start.py"), module, ...args];
}

/**
 * What a Python that we start finds beside its own packages: ours, and then what the user's PYTHONPATH names. An empty
 * entry of that would be the current folder; as a rule nobody meant it (`PYTHONPATH=$PYTHONPATH:/more`).
 */
export function pythonPath(first: readonly string[] = [pythonFolder]): string {
  const theirs = (process.env["PYTHONPATH"] ?? "").split(delimiter).filter((entry) => entry !== "");
  return [...first, ...theirs].join(delimiter);
}

/** What a Python of ours, and all that it starts, finds in its environment beside this process's own. */
export function pythonEnvironment(): { PYTHONPATH: string; PYTHONSAFEPATH: string } {
  return { PYTHONPATH: pythonPath(), PYTHONSAFEPATH: "1" };
}

/**
 * Checks that there is a folder for temporary files.
 *
 * @throws InvalidRequestError
 */
export function requireTemporaryFolder(): void {
  try {
    accessSync(`${tmpdir()}/`, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new InvalidRequestError(
      `Nothing can be written to ${tmpdir()}, the folder for temporary files (${(error as NodeJS.ErrnoException).code}). ` +
        "Set TMPDIR to a folder of yours, or unset it.",
    );
  }
}

/**
 * The Python that has TVM: the one named, `$FAMILYSEER_TVM_PYTHON`, or the one set-up installed. Of those that is the one
 * with the tuner asked for, or, where none is, Ansor's before MetaSchedule's; for a CUDA target and Ansor the one of
 * `scripts/setup --cuda`, where it is installed. Whether one that is named has the tuner, its worker says.
 *
 * @throws InstallationError if it is not there, or if the two name different ones.
 */
export function tvmPython(named?: string, target = "", tuner?: TunerName): string {
  const variable = environmentVariable(TVM_PYTHON);
  const byOption = named === undefined ? undefined : pythonAt(named, "--tvm-python");
  const byVariable = variable === undefined ? undefined : pythonAt(variable, TVM_PYTHON);
  if (byOption !== undefined && byVariable !== undefined && byOption !== byVariable) {
    throw new InstallationError(
      `--tvm-python names ${byOption}, ${TVM_PYTHON} names ${byVariable}. Leave the option out, or unset the variable.`,
    );
  }
  const chosen = byOption ?? byVariable;
  if (chosen !== undefined) {
    return chosen;
  }
  const installed = buildsOf(tuner, target).map(installedPython).find(isExecutable);
  if (installed === undefined) {
    const [what, setup] = tuner === undefined ? ["TVM", "npm run setup"] : MISSING[tuner];
    throw new InstallationError(
      `${what} is not installed in ${home()}${environmentVariable("FAMILYSEER_HOME") ? ", which FAMILYSEER_HOME names" : ""}. Run \`${setup}\`, or name your own Python with TVM by --tvm-python.`,
    );
  }
  return installed;
}

/** What is missing where a tuner's TVM is not installed, and what installs it. */
const MISSING: Readonly<Record<TunerName, readonly [string, string]>> = {
  ansor: [`TVM ${TVM_VERSION}, which has Ansor,`, "npm run setup"],
  metaschedule: [`TVM ${METASCHEDULE_TVM_VERSION}, which has MetaSchedule,`, "npm run setup -- --tvm 0.27"],
};

/** The builds of TVM that will do, the best first. */
function buildsOf(tuner: TunerName | undefined, target: string): string[] {
  const ansor = [...(isCuda(target) ? [`tvm-${TVM_VERSION}-cuda`] : []), `tvm-${TVM_VERSION}`];
  const metaschedule = [`tvm-${METASCHEDULE_TVM_VERSION}`];
  const builds = { ansor, metaschedule };
  return tuner === undefined ? [...ansor, ...metaschedule] : builds[tuner];
}

function pythonAt(named: string, by: string): string {
  const path = named.includes("/") ? resolve(named) : findOnPath(named);
  if (!path || !isExecutable(path)) {
    throw new InstallationError(
      `There is no Python at ${named || '""'}, which ${by} names. Expected the path of a Python that has TVM.`,
    );
  }
  return path;
}

/** One that is empty counts as one that is not set. */
function environmentVariable(name: string): string | undefined {
  return process.env[name] || undefined;
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
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The nearest folder, from one upwards, that holds a package.json.
 *
 * @throws InstallationError if none does.
 */
export function packageRootAbove(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) {
      return folder;
    }
    if (folder === dirname(folder)) {
      throw new InstallationError(
        `There is no package.json in ${start} or above. Expected familyseer's whole package around its code: bundle it ` +
          "as an external package.",
      );
    }
  }
}
