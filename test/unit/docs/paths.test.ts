import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** Files and folders of the repository, as the docs write them. */
const PATH = /`((?:src|python|scripts|bench|test|data|patches|examples)\/[\w./-]+)`/g;

describe("the docs", () => {
  it("name no file of the repository that is not there", async () => {
    const pages = [...(await readdir("docs")).map((name) => `docs/${name}`), "README.md", "CONTRIBUTING.md"];
    const named: string[] = [];
    for (const page of pages.filter((name) => name.endsWith(".md"))) {
      const text = await readFile(page, "utf8");
      named.push(...[...text.matchAll(PATH)].map((match) => `${page}: ${match[1]}`));
    }
    assert.ok(named.length > 20, `only ${named.length} paths were found`);
    const missing = named.filter((each) => !existsSync(each.split(": ")[1] ?? ""));
    assert.deepEqual(missing, []);
  });
});
