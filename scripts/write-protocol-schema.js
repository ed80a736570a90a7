// Writes what Python has of the protocol, protocol.schema.json and messages.py, from src/protocol; run it after a change there.
import { writeFileSync } from "node:fs";
import { pythonTypes } from "../dist/src/protocol/python-types.js";
import { protocolSchema } from "../dist/src/protocol/schema.js";

const wire = new URL("../python/familyseer/wire/", import.meta.url);
writeFileSync(new URL("protocol.schema.json", wire), `${JSON.stringify(protocolSchema(), null, 2)}\n`);
writeFileSync(new URL("messages.py", wire), pythonTypes());
