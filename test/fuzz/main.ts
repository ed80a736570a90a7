// npm run test:fuzz [-- --full] [-- --seed N]: messages, most of them none, to both ends of the wire.
import { parseArgs } from "node:util";
import { defectsOf, fuzz } from "./fuzz.js";

const { values } = parseArgs({ options: { full: { type: "boolean" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const size = values.full ? { messages: 600_000, sessions: 2_000 } : { messages: 50_000, sessions: 100 };
console.log(`seed ${seed}`);
let [messages, defects] = [0, 0];
for await (const tally of fuzz({ seed, ...size })) {
  messages += tally.messages;
  console.log(
    `${tally.name}: ${tally.messages} messages, ${tally.refused} sessions refused, ` +
      `slowest ${tally.slowest.toFixed(1)} ms, memory ${tally.growth.toFixed(1)} MiB more than after warm-up`,
  );
  for (const defect of defectsOf(tally)) {
    defects += 1;
    console.error(`DEFECT ${defect}`);
  }
}
console.log(`${messages} messages: ${defects} defects, no crash, no hang`);
process.exit(defects === 0 ? 0 : 1);
