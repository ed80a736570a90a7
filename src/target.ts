/** What the text of a TVM target says. */

const MODEL = "simulated-v100";

/** The only target whose programs are simulated (docs/simulated-gpu.md); every record of it names the model. */
export const SIMULATED_TARGET = `cuda -arch=sm_70 -model=${MODEL}`;

/** Whether what is said of a target comes from the simulated GPU. */
export function isSimulated(target: string): boolean {
  return target.includes(MODEL);
}

/** Whether a TVM target, as users write it (`cuda -arch=sm_70`, a tag such as `nvidia/nvidia-v100`, or JSON), is CUDA. */
export function isCuda(target: string): boolean {
  return /^\s*(cuda\b|nvidia\/|\{.*("kind"\s*:\s*"cuda"|"tag"\s*:\s*"nvidia\/))/s.test(target);
}

/** Whether programs for a target, as the worker names it, run on a CPU. */
export function runsOnCpu(target: string): boolean {
  return /^(llvm|c)\b/.test(kindOf(target));
}

/** The kind that a target's text begins with, or names where it is JSON. */
function kindOf(target: string): string {
  if (!target.startsWith("{")) {
    return target;
  }
  const { kind }: { kind?: unknown } = JSON.parse(target);
  return typeof kind === "string" ? kind : "";
}
