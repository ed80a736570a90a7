const MODEL = "simulated-v100";

/** The only target whose programs are simulated (docs/simulated-gpu.md); every record of it names the model. */
export const SIMULATED_TARGET = `cuda -arch=sm_70 -model=${MODEL}`;

/** Whether what is said of a target comes from the simulated GPU. */
export function isSimulated(target: string): boolean {
  return target.includes(MODEL);
}
