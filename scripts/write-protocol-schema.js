// Writes python/familyseer/wire/protocol.schema.json from src/protocol; run it after a change there.
import { writeFileSync } from "node:fs";
import { protocolSchema } from "../dist/src/protocol/schema.js";

const file = new URL("../python/familyseer/wire/protocol.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(protocolSchema(), null, 2)}\n`);
