// Writes python/familyseer/protocol.schema.json from src/worker/protocol.ts; run it after a change there.
import { writeFileSync } from "node:fs";
import { protocolSchema } from "../dist/src/worker/protocol.js";

const file = new URL("../python/familyseer/protocol.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(protocolSchema(), null, 2)}\n`);
