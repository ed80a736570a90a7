// npm run test:faults [-- --full | --short] [-- --seed N] [-- --only KIND]: what befalls jobs, and what must not come of it.
import { parseArgs } from "node:util";
import { table } from "../../src/report/format.js";
import { estimateSeconds, runFaults, type Size, type Tally } from "./run.js";

const { values } = parseArgs({
  options: {
    full: { type: "boolean" },
    short: { type: "boolean" },
    seed: { type: "string" },
    only: { type: "string" },
  },
});
const size: Size = values.full ? "full" : values.short ? "short" : "middle";
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
const { only } = values;
console.log(`seed ${seed}, about ${Math.ceil(estimateSeconds({ size, only }) / 60)} minutes`);
const tallies: Tally[] = [];
const begun = performance.now();
let since = begun;
for await (const tally of runFaults({ seed, size, only })) {
  tallies.push(tally);
  const { name, skipped, strikes, jobs, defects } = tally;
  const seconds = Math.round((performance.now() - since) / 1000);
  since = performance.now();
  console.log(
    `${name}: ${skipped === null ? `${strikes} strikes on ${jobs} jobs, ${seconds} s` : `skipped, ${skipped}`}`,
  );
  for (const defect of defects) {
    console.error(`DEFECT ${name}, ${defect}`);
  }
}

const done = tallies.filter(({ skipped }) => skipped === null);
const counts = ({ jobs, strikes, before, after, lost, doubled, leaked, defects }: Tally) => [
  jobs,
  strikes,
  before,
  after,
  lost,
  doubled,
  leaked,
  defects.length,
];
const sum = done
  .map(counts)
  .reduce((all, row) => all.map((value, index) => value + (row[index] ?? 0)), Array(8).fill(0));
console.log(
  table(
    ["fault", "jobs", "strikes", "records before", "after", "lost", "doubled", "leaked", "defects"],
    [...done.map((tally) => [tally.name, ...counts(tally)]), ["all", ...sum]],
  ),
);
console.log(`${((performance.now() - begun) / 60_000).toFixed(1)} minutes, seed ${seed}`);
process.exit(done.some(({ defects }) => defects.length > 0) ? 1 : 0);
