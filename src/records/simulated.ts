import { InvalidRequestError } from "../errors.js";

const MODEL = "simulated-v100";

/** The only target whose programs are simulated (docs/simulated-gpu.md); every record of it names the model. */
export const SIMULATED_TARGET = `cuda -arch=sm_70 -model=${MODEL}`;

/** Whether what is said of a target comes from the simulated GPU. */
export function isSimulated(target: string): boolean {
  return target.includes(MODEL);
}

/** @throws InvalidRequestError if any of a log's records was not measured. */
export function refuseSimulated(records: readonly { readonly target: string }[], log: string): void {
  const count = records.filter(({ target }) => isSimulated(target)).length;
  if (count > 0) {
    throw new InvalidRequestError(
      `${count} records of ${log} are of a simulated GPU and were never measured. Expected a log of measured programs.`,
    );
  }
}
