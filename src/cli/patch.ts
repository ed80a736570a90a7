import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { applyPatch, parsePatch, reversePatch, type StructuredPatch } from "diff";
import { InvalidRequestError } from "../errors.js";
import { packageRoot } from "../worker/installation.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

type State = "applied" | "not applied" | "does not match";

/** A file of a TVM tree, and what our patch makes of it or undoes. */
interface PatchedFile {
  readonly path: string;
  readonly content: string;
  readonly patch: StructuredPatch;
}

const JSON_HELP = "print an object: TVM's version, the path, the state";

export function addPatch(program: Command, finish: Finish): void {
  const command = program
    .command("patch")
    .description("give a TVM tree's own TaskScheduler FamilySeer's search policies (patches/README.md)");
  command
    .command("apply <path>")
    .description("apply the patches to a TVM source tree or installed package")
    .option("--json", JSON_HELP)
    .action((path, flags) => change(path, "not applied", "applied", (patch) => patch, flags));
  command
    .command("revert <path>")
    .description("undo the patches")
    .option("--json", JSON_HELP)
    .action((path, flags) => change(path, "applied", "not applied", (patch) => reversePatch(patch), flags));
  command
    .command("status <path>")
    .description("say whether the patches are applied; exit code 1 if the tree matches neither way")
    .option("--json", JSON_HELP)
    .action(async (path, flags) => {
      const { version, files } = await readTree(path);
      const state = stateOf(files);
      show({ version, path, state }, flags);
      finish(state === "does not match" ? EXIT.failed : EXIT.done);
    });
  example(command, "familyseer patch apply ~/tvm");
}

async function change(
  path: string,
  from: State,
  to: State,
  direction: (patch: StructuredPatch) => StructuredPatch,
  flags: { readonly json?: boolean },
): Promise<void> {
  const { version, files } = await readTree(path);
  const state = stateOf(files);
  if (state !== from) {
    throw new InvalidRequestError(
      state === to
        ? `The patches are ${to} in ${path} already; nothing was changed.`
        : `TVM ${version} in ${path} is not the one patches/${version} is for: ${mismatches(files).join(", ")} ` +
            "was edited. Nothing was changed; put the file back, or use familyseer.install() instead.",
    );
  }
  // All of it is known to fit before the first file is written.
  for (const file of files) {
    await writeFile(file.path, patched(file, direction(file.patch)) ?? file.content);
  }
  show({ version, path, state: to }, flags);
}

function show(tree: { version: string; path: string; state: State }, { json }: { readonly json?: boolean }): void {
  console.log(json ? JSON.stringify(tree) : `TVM ${tree.version} in ${tree.path}: ${tree.state}`);
}

async function readTree(path: string): Promise<{ version: string; files: PatchedFile[] }> {
  const root = [join(path, "python"), path, join(path, "..")].find((folder) => existsSync(join(folder, "tvm", "_ffi")));
  if (root === undefined) {
    throw new InvalidRequestError(
      `There is no TVM in ${path}. Expected a TVM source tree, or a folder that holds tvm/.`,
    );
  }
  const declared = await readFile(join(root, "tvm", "_ffi", "libinfo.py"), "utf8").catch(() => "");
  const version = /^__version__ = "(.*)"/m.exec(declared)?.[1] ?? "of unknown version";
  const folder = join(packageRoot, "patches", version);
  if (!existsSync(folder)) {
    const versions = (await readdir(join(packageRoot, "patches"))).filter((name) => !name.endsWith(".md"));
    throw new InvalidRequestError(
      `The TVM in ${path} is ${version}; there are patches for ${versions.join(", ")}. ` +
        "For another version use familyseer.install() in your script.",
    );
  }
  const files: PatchedFile[] = [];
  for (const name of (await readdir(folder)).sort()) {
    for (const patch of parsePatch(await readFile(join(folder, name), "utf8"))) {
      const file = join(root, (patch.oldFileName ?? "").replace("a/python/", ""));
      files.push({ path: file, content: await readFile(file, "utf8"), patch });
    }
  }
  return { version, files };
}

function patched({ content }: PatchedFile, patch: StructuredPatch): string | null {
  const result = applyPatch(content, patch, { fuzzFactor: 0 });
  return result === false ? null : result;
}

function stateOf(files: readonly PatchedFile[]): State {
  if (files.every((file) => patched(file, reversePatch(file.patch)) !== null)) {
    return "applied";
  }
  return files.every((file) => patched(file, file.patch) !== null) ? "not applied" : "does not match";
}

function mismatches(files: readonly PatchedFile[]): string[] {
  return files
    .filter((file) => patched(file, file.patch) === null && patched(file, reversePatch(file.patch)) === null)
    .map((file) => file.path);
}
