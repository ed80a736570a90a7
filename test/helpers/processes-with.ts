import { readdir, readFile } from "node:fs/promises";

/** The processes that were started with an environment variable, found by the kernel's own account. */
export async function processesWith(variable: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(ids.map((id) => readFile(`/proc/${id}/environ`, "utf8").catch(() => "")));
  return ids.filter((_, index) => environments[index]?.split("\0").includes(variable));
}
