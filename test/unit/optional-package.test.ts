import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { execa } from "execa";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const { optionalDependencies } = JSON.parse(await readFile("package.json", "utf8")) as {
  optionalDependencies: Record<string, string>;
};

/** What an installation may have to do without. */
describe("optional packages", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  /** familyseer and what it depends on in a user's node_modules, without some packages. */
  async function install(without: readonly string[]): Promise<void> {
    const modules = join(folder, "node_modules");
    const ours = join(modules, "familyseer");
    await mkdir(ours, { recursive: true });
    await cp("package.json", join(ours, "package.json"));
    await cp("dist/src", join(ours, "dist", "src"), { recursive: true });
    await cp("scripts/familyseer.js", join(ours, "scripts", "familyseer.js"));
    for (const name of ["python", "data"]) {
      await symlink(resolve(name), join(ours, name));
    }
    for (const name of (await installed()).filter((each) => !without.includes(each))) {
      await mkdir(dirname(join(modules, name)), { recursive: true });
      await symlink(resolve("node_modules", name), join(modules, name));
    }
  }

  const familyseer = (...args: string[]) =>
    execa("node", ["node_modules/familyseer/scripts/familyseer.js", ...args], {
      cwd: folder,
      // Of a Python no more is asked here than to be a program.
      env: { FAMILYSEER_TVM_PYTHON: process.execPath },
      reject: false,
    });

  it("are the channels' beside ZeroMQ, and those that draw", () => {
    assert.deepEqual(Object.keys(optionalDependencies).sort(), [
      "@resvg/resvg-js",
      "node-calls-python",
      "pythonia",
      "vega",
      "vega-lite",
    ]);
  });

  it("are missed by nobody who does not ask for what needs them", async () => {
    await install(Object.keys(optionalDependencies));
    const imported = await execa(
      "node",
      ["--input-type=module", "--eval", 'import { tune } from "familyseer"; console.log(typeof tune);'],
      { cwd: folder },
    );
    assert.equal(imported.stdout, "function");
    assert.match((await familyseer("--help")).stdout, /^Usage: familyseer/);
    assert.equal((await familyseer("experiment")).exitCode, 0);
  });

  for (const [name, args, needs] of [
    ["pythonia", ["tasks", "--model", "mlp", "--channel", "pythonia"], "The channel pythonia"],
    [
      "node-calls-python",
      ["tasks", "--model", "mlp", "--channel", "node-calls-python"],
      "The channel node-calls-python",
    ],
    ["vega-lite", ["experiment", "published"], "Drawing figures"],
    ["vega", ["experiment", "published"], "Drawing figures"],
    ["@resvg/resvg-js", ["experiment", "published"], "Drawing figures"],
  ] as const) {
    it(`is missed by its name, in one message, where ${name} is needed and not there`, async () => {
      await install([name]);
      const { exitCode, stderr, stdout } = await familyseer(...args);
      assert.equal(exitCode, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^familyseer: /);
      assert.equal(stderr.split("\n").length, 1);
      assert.ok(
        stderr.includes(
          `${needs} needs the npm package ${name}, which is not installed. Install it where familyseer is installed: npm install ${name}`,
        ),
        stderr,
      );
    });
  }
});

async function installed(): Promise<string[]> {
  const names = (await readdir("node_modules")).filter((name) => !name.startsWith("."));
  const ofScopes = names
    .filter((name) => name.startsWith("@"))
    .map(async (scope) => (await readdir(join("node_modules", scope))).map((name) => `${scope}/${name}`));
  return [...names.filter((name) => !name.startsWith("@")), ...(await Promise.all(ofScopes)).flat()];
}
