import { createInterface } from "node:readline";
import { execa } from "execa";

/** A tuning by the command line, killed when so many programs were told of: how many were, and all that it said. */
export async function tuneUntilKilled(
  args: readonly string[],
  killAfter: number,
): Promise<{ told: number; all: string }> {
  const small = ["--population", "32", "--generations", "1", "--min-repeat-ms", "5", "--number", "1"];
  const rounds = ["--trials-per-round", "4", "--foresee-trials", "2"];
  const all = ["scripts/familyseer.js", "tune", ...args, ...small, ...rounds, "--resume", "--json"];
  const running = execa("node", all, { reject: false, all: true });
  let told = 0;
  for await (const line of createInterface({ input: running.stdout })) {
    told += line.includes('"type":"measured"') ? 1 : 0;
    if (told === killAfter) {
      running.kill("SIGKILL");
    }
  }
  return { told, all: (await running).all };
}
