import assert from "node:assert/strict";
import { execa } from "execa";

async function help(...command: string[]): Promise<string[]> {
  return (await execa("node", ["scripts/familyseer.js", ...command, "--help"])).stdout.split("\n");
}

function headings(lines: readonly string[]): string[] {
  return lines.filter((line) => /^[A-Z].*:$/.test(line));
}

describe("the help", () => {
  it("has tune's options in groups, the required ones first and marked", async () => {
    const lines = await help("tune");
    assert.deepEqual(headings(lines), [
      "Required:",
      "Usual:",
      "Search:",
      "Measuring:",
      "Devices:",
      "Connection:",
      "Experiments:",
      "Example:",
      "When something fails:",
    ]);
    const required = lines.slice(lines.indexOf("Required:") + 1, lines.indexOf("Usual:"));
    const names = required.flatMap((line) => /^ {2}--(\S+)/.exec(line)?.[1] ?? []);
    assert.deepEqual(names, ["model", "trials", "log"]);
    assert.equal(required.join("\n").match(/\(required\)/g)?.length, names.length);
    assert.equal(lines.join("\n").match(/\(required\)/g)?.length, names.length);
  });

  it("ends with where to look when something fails, in no line wider than a terminal's 80 columns", async () => {
    for (const command of [[], ["tune"], ["evaluate"], ["best"]]) {
      const lines = await help(...command);
      const last = lines.slice(lines.indexOf("When something fails:"));
      assert.match(last.join("\n"), /familyseer doctor.*\n.*LOG\.journal\.jsonl.*\n.*docs\//);
      assert.ok(last.length === 4 && last.every((line) => line.length <= 80), last.join("\n"));
    }
  });

  it("of an experiment lists all of them, no line broken by the terminal", async () => {
    const lines = await help("experiment");
    const shown = lines.slice(lines.indexOf("Experiments:"));
    assert.ok(shown.length > 10 && shown.every((line) => line.length <= 80), shown.join("\n"));
  });

  it("has every command in a group", async () => {
    const lines = await help();
    assert.ok(!headings(lines).includes("Commands:"), lines.join("\n"));
    assert.match(lines.join("\n"), /Tuning:\n +tune .*\n/);
  });
});
