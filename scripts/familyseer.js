#!/usr/bin/env node
// The command line's entry point, and the only place that exits.
import { existsSync } from "node:fs";

const main = new URL("../dist/src/cli/main.js", import.meta.url);
if (!existsSync(main)) {
  console.error("familyseer is not built yet. Run `npm run setup` in its folder.");
  process.exit(2);
}
process.exitCode = await (await import(main)).main(process.argv.slice(2));
// An addon's threads may outlive the work; nothing of ours is pending here.
process.exit();
