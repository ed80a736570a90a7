import assert from "node:assert/strict";
import { WorkerProcess } from "../../../src/worker/worker-process.js";

describe("a worker's process", () => {
  it("is told of by whole lines, however its output comes, and by the one that its end cut off", async () => {
    // More than a pipe holds, so that it comes in parts.
    const long = "x".repeat(200_000);
    const program = "require('fs').writeSync(1, 'x'.repeat(200000) + '\\n\\nits last words'); process.exit(3)";
    const told: string[] = [];
    const [how, last] = await new Promise<[string, readonly string[]]>((resolve) => {
      const started = new WorkerProcess({
        python: process.execPath,
        args: ["-e", program],
        env: {},
        onOutput: (line) => told.push(line),
        ended: (reason) => resolve([reason, started.lastOutput]),
      });
    });
    assert.equal(how, "exited with code 3");
    assert.deepEqual(last, [long, "its last words"]);
    assert.deepEqual(told, last);
  });
});
