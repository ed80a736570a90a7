import { readFile } from "node:fs/promises";
import { z } from "zod";
import { InvalidRequestError } from "../errors.js";

const share = z.object({ programs: z.number(), failures: z.number(), seconds: z.number() });
export type DeviceTotals = z.infer<typeof share>;

const roundFinished = z.object({ type: z.literal("round-finished"), devices: z.record(z.string(), share) });

/**
 * What each device did over all rounds of a log's journal, by its name. A line that is cut short is left out.
 *
 * @throws InvalidRequestError if there is no journal beside the log.
 */
export async function readDeviceTotals(log: string): Promise<Map<string, DeviceTotals>> {
  const path = `${log}.journal.jsonl`;
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new InvalidRequestError(
      `${path} cannot be read (${error.code}). Expected the log of a tuning, journal beside.`,
    );
  });
  const totals = new Map<string, DeviceTotals>();
  for (const line of text.split("\n")) {
    const entry = roundFinished.safeParse(parsed(line));
    for (const [name, did] of Object.entries(entry.data?.devices ?? {})) {
      const before = totals.get(name) ?? { programs: 0, failures: 0, seconds: 0 };
      totals.set(name, {
        programs: before.programs + did.programs,
        failures: before.failures + did.failures,
        seconds: before.seconds + did.seconds,
      });
    }
  }
  return totals;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
