import { createInterface } from "node:readline";
import type { OperationName } from "../../src/protocol/operations/index.js";
import { ScriptedOperations } from "./scripted-operations.js";

/**
 * The scripted operations for a real worker (test/python/scripted_worker.py), by lines of JSON: `{id, operation, params}` and
 * `{cancel}` come, `{id, event}`, `{id, value}` and `{id, error}` go. FAMILYSEER_SCRIPT is as the scripted worker's.
 */
interface Question {
  readonly id: number;
  readonly operation: OperationName;
  readonly params: unknown;
}

const operations = new ScriptedOperations(JSON.parse(process.env["FAMILYSEER_SCRIPT"] ?? "{}"));
const cancelled = new Set<number>();

async function answer({ id, operation, params }: Question): Promise<void> {
  const say = (said: object) => console.log(JSON.stringify({ id, ...said }));
  try {
    const value = await operations.perform(operation, params, {
      report: (event) => say({ event }),
      cancelled: () => cancelled.has(id),
    });
    say({ value });
  } catch (error) {
    say({ error: String(error) });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message: Question | { readonly cancel: number } = JSON.parse(line);
  if ("cancel" in message) {
    cancelled.add(message.cancel);
  } else {
    void answer(message);
  }
}
process.exit(0);
