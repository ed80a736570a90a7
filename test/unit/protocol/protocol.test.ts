import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { pack } from "msgpackr";
import { decode } from "../../../src/protocol/codec.js";
import { PROTOCOL_VERSION } from "../../../src/protocol/limits.js";
import { operations } from "../../../src/protocol/operations/index.js";
import { pythonTypes } from "../../../src/protocol/python-types.js";
import { protocolSchema } from "../../../src/protocol/schema.js";

describe("protocol", () => {
  it("is written for Python as the code has it (else: node scripts/write-protocol-schema.js)", async () => {
    const written = JSON.parse(await readFile("python/familyseer/wire/protocol.schema.json", "utf8"));
    assert.deepEqual(written, JSON.parse(JSON.stringify(protocolSchema())));
  });

  it("has its types written for Python, too", async () => {
    assert.equal(await readFile("python/familyseer/wire/messages.py", "utf8"), pythonTypes());
  });

  it("has a page that names each operation, with its deadline", async () => {
    const page = await readFile("docs/protocol.md", "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| (\d+) (s|min|d)\b[^|]* \|$/gm)];
    const seconds = { s: 1, min: 60, d: 86_400 };
    assert.deepEqual(
      rows.map(([, name, number, unit]) => [name, 1000 * Number(number) * seconds[unit as keyof typeof seconds]]),
      Object.entries(operations).map(([name, { deadlineMs }]) => [name, deadlineMs]),
    );
    assert.match(page, new RegExp(`^# Protocol, version ${PROTOCOL_VERSION}\n`));
  });

  it("refuses bytes that are no message", () => {
    assert.throws(() => decode(Buffer.from([0x92, 0x01])), /not msgpack/);
    assert.throws(() => decode(pack({ type: "gossip" })), /not of the protocol/);
    assert.throws(() => decode(pack({ type: "result", id: -1, value: {}, seconds: 1 })), /not of the protocol/);
  });
});
