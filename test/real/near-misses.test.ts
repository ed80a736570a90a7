import assert from "node:assert/strict";
import { execa } from "execa";

const cases: readonly [args: string, answer: RegExp][] = [
  ["tune --model mlp --log t.log --trial 8", /unknown option '--trial'\n\(Did you mean --trials\?\)/],
  ["tune --trail=8", /unknown option '--trail'\n\(Did you mean --trials\?\)/],
  ["tune --modle mlp", /Did you mean --model\?/],
  ["tune -trials 8", /unknown option '-trials'\n\(Did you mean --trials\?\)/],
  ["tune --batch_size 2", /Did you mean --batch\?/],
  ["tune --batchSize 2", /Did you mean --batch\?/],
  ["tune --accept", /Did you mean --accept-other-targets\?/],
  ["tune --log-file t.log", /Did you mean --log\?/],
  ["tune --no_overlap", /Did you mean --no-overlap\?/],
  ["tune-network-x86 --pre-tuned tuning", /Did you mean --pre_tuned\?/],
  ["tune-network-x86 --batch 2", /Did you mean --batch_size\?/],
  ["tune --mode fsat", /'fsat' is invalid\. Allowed choices are reference, fast\. Did you mean fast\?/],
  ["evaluate --against onxruntime", /Allowed choices are onnxruntime\. Did you mean onnxruntime\?/],
  ["tasks --layout NWHC", /Did you mean NHWC\?/],
  ["doctor --channel zmq", /Did you mean zeromq\?/],
  ["experiment trainning", /Unknown experiment: trainning\. Did you mean training\?/],
  ["experiment --device cqu", /Did you mean cpu\?/],
  ["evalute --log t.log", /unknown command 'evalute'\n\(Did you mean evaluate\?\)/],
  ["tune_network_x86 --tune", /Did you mean tune-network-x86\?/],
  ["tune --frobnicate", /^error: unknown option '--frobnicate'$/],
  ["tune --model mlp --trials 8", /required option '--log <file>' not specified/],
];

describe("near misses on the command line", function () {
  this.timeout(60_000);

  it("are answered with the right name, and what is no near miss is not", async () => {
    for (const [args, answer] of cases) {
      const { exitCode, stderr } = await execa("node", ["scripts/familyseer.js", ...args.split(" ")], {
        reject: false,
      });
      assert.match(stderr, answer, args);
      assert.equal(exitCode, 2, args);
    }
  });
});
