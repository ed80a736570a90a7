import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeThreads } from "../../../src/network/threads.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const FOUND = { count: 2, by: "cores", cores: 2, tvm: 1 } as const;

describe("a log that is gone on with", () => {
  const cases: [string, object[], RegExp | null][] = [
    ["of the same number of threads is not told", [{ type: "started", target: "llvm", threads: 2 }], null],
    [
      "of another number is told, also of a part",
      [
        { type: "started", target: "llvm", threads: 2 },
        { type: "resumed", threads: 1 },
      ],
      /timed on 1 thread, and now run on 2/,
    ],
    [
      "whose journal says none is told",
      [{ type: "started", target: "llvm -keys=cpu" }],
      /half of the CPUs.* 2 threads/,
    ],
    ["for a GPU is not told", [{ type: "started", target: "cuda" }], null],
    ["of a tracker's servers is not told", [{ type: "started", target: "llvm", threads: null }], null],
  ];
  for (const [what, entries, told] of cases) {
    it(what, async () => {
      const log = join(await temporaryFolder(), "t.log");
      await writeFile(`${log}.journal.jsonl`, entries.map((each) => `${JSON.stringify(each)}\n`).join(""));
      const [first, ...rest] = await describeThreads(FOUND, {}, [log]);
      assert.equal(first, "programs run on 2 threads: this process may use 2 cores");
      assert.equal(rest.length, told ? 1 : 0);
      assert.match(rest[0] ?? "", told ?? /^$/);
    });
  }
});
