import assert from "node:assert/strict";

/** That what was read of JSON has keys, and each in camelCase. */
export function requireOneCasing(content: unknown): void {
  const keys = keysOf(content);
  assert.ok(keys.length > 0, `no keys in ${JSON.stringify(content)}`);
  assert.deepEqual([...new Set(keys.filter((key) => key.includes("_")))], []);
}

function keysOf(content: unknown): string[] {
  if (typeof content !== "object" || content === null) {
    return [];
  }
  const inside = Object.values(content).flatMap(keysOf);
  return Array.isArray(content) ? inside : [...Object.keys(content), ...inside];
}
