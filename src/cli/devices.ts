import type { Command } from "@commander-js/extra-typings";
import { listDevices } from "../job/devices.js";
import { type DeviceTotals, readDeviceTotals } from "../records/journal.js";
import { logAt } from "../records/place.js";
import { table } from "../report/format.js";
import { widthOf } from "../report/screen.js";
import { startWorker } from "../worker/start.js";
import { example, type Finish, withWorkerOptions } from "./command.js";
import { EXIT } from "./exit-code.js";

interface Row extends Partial<DeviceTotals> {
  readonly name: string;
  readonly key: string | null;
  readonly state: string;
}

export function addDevices(program: Command, finish: Finish): void {
  const described = program
    .command("devices")
    .description("list the GPUs of this machine, or the servers of a tracker, and what they did")
    .option("--tracker <host:port>", "list the servers of this TVM RPC tracker")
    .option("--device-key <key>", "only those with this key")
    .option("--log <file>", "also show what each device did in the tuning that wrote this log")
    .option("--json", "print an array of objects");
  const command = withWorkerOptions(described).action(async ({ tracker, deviceKey, log, json, ...workerOptions }) => {
    const totals = log === undefined ? new Map<string, DeviceTotals>() : await readDeviceTotals(await logAt(log));
    const worker = await startWorker(workerOptions);
    try {
      const listed = await listDevices(worker, tracker, deviceKey);
      const rows = withTotals(listed, totals);
      console.log(json ? JSON.stringify(rows, null, 2) : deviceTable(rows));
      finish(EXIT.done);
    } finally {
      await worker.close();
    }
  });
  example(command, "familyseer devices --tracker 127.0.0.1:9190 --log mobilenet.log");
}

/** Each listed device with what it did, then those that did something and are not there. */
function withTotals(listed: readonly Row[], totals: ReadonlyMap<string, DeviceTotals>): Row[] {
  const names = new Set(listed.map(({ name }) => name));
  const gone = [...totals.keys()].filter((name) => !names.has(name));
  return [...listed, ...gone.map((name) => ({ name, key: null, state: "not listed" }))].map((row) => ({
    ...row,
    ...totals.get(row.name),
  }));
}

function deviceTable(rows: readonly Row[]): string {
  if (rows.length === 0) {
    return "There is no GPU on this machine, and no tracker was named. Programs for the CPU run on this machine itself.";
  }
  return table(
    ["device", "key", "state", "programs", "failed", "timing (s)"],
    rows.map(({ name, key, state, programs, failures, seconds }) => [
      name,
      key ?? "-",
      state,
      programs ?? "-",
      failures ?? "-",
      seconds?.toFixed(1) ?? "-",
    ]),
    widthOf(process.stdout),
  );
}
