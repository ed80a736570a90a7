import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { execa } from "execa";

/** Files that break rules, for one run of the linter in the source, and what it is to say of each. */
const PLANTED: Readonly<Record<string, { readonly text: string; readonly told: readonly RegExp[] }>> = {
  "src/core/planted-violation.ts": {
    text: 'import "node:fs";\nimport "../protocol/limits.js";\nexport const now = [Date.now(), Math.random()];\n',
    told: [
      /'node:fs' .*restricted/,
      /'..\/protocol\/limits.js' .*restricted/,
      /no clock/,
      /'Math.random' .*restricted/,
    ],
  },
  "src/core/fast/planted-violation.ts": {
    text: 'import "../../worker/worker.js";\n',
    told: [/'..\/..\/worker\/worker.js' .*restricted/],
  },
  "src/protocol/operations/planted-violation.ts": {
    text: 'import "../../records/log.js";\n',
    told: [/'..\/..\/records\/log.js' .*restricted/],
  },
  "src/records/planted-violation.ts": {
    text: 'import type { Round } from "../job/events.js";\nexport type Planted = Round;\n',
    told: [/'..\/job\/events.js' .*restricted/],
  },
  "src/planted-violation.ts": {
    text: 'import "./core/task.js";\n',
    told: [/'.\/core\/task.js' .*restricted/],
  },
  "src/network/planted-circle.ts": {
    text: 'import type { Back } from "./planted-circle-back.js";\nexport type There = Back | null;\n',
    told: [/cycle/],
  },
  "src/network/planted-circle-back.ts": {
    text: 'import type { There } from "./planted-circle.js";\nexport type Back = readonly There[];\n',
    told: [/cycle/],
  },
};

describe("the rooms of the source", () => {
  it("import rightwards alone, in no circle, and the core does no I/O: lint refuses all else", async () => {
    const files = Object.keys(PLANTED);
    await Promise.all(Object.entries(PLANTED).map(([file, { text }]) => writeFile(file, text)));
    try {
      const lint = ["--no-install", "oxlint", "--format", "unix", ...files];
      const { stdout } = await execa("npx", lint, { reject: false });
      for (const [file, { told }] of Object.entries(PLANTED)) {
        const lines = stdout.split("\n").filter((line) => line.startsWith(`${file}:`));
        assert.equal(lines.length, told.length, stdout);
        for (const what of told) {
          assert.ok(
            lines.some((line) => what.test(line)),
            `${file}: no ${what} in\n${stdout}`,
          );
        }
      }
    } finally {
      await Promise.all(files.map((file) => rm(file, { force: true })));
    }
  }).timeout(120_000);
});
