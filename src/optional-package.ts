import { createRequire } from "node:module";
import { InstallationError } from "./errors.js";

/** An npm package of package.json's `optionalDependencies`, which an installation may have to do without. */
export interface OptionalPackage {
  readonly name: string;
  /** What cannot be done without it, as the subject of a sentence. */
  readonly neededBy: string;
  /** What else to do but to install it, in whole sentences. */
  readonly otherwise?: string;
}

/**
 * Loads one when it is needed, and no earlier.
 *
 * @throws InstallationError if it is not installed or does not load.
 */
export async function importOptional(wanted: OptionalPackage): Promise<unknown> {
  try {
    return await import(wanted.name);
  } catch (error) {
    throw missing(wanted, error);
  }
}

/**
 * Loads one of CommonJS at once, before anything else of this process runs.
 *
 * @throws InstallationError if it is not installed or does not load.
 */
export function requireOptional(wanted: OptionalPackage): unknown {
  try {
    return createRequire(import.meta.url)(wanted.name);
  } catch (error) {
    throw missing(wanted, error);
  }
}

function missing({ name, neededBy, otherwise }: OptionalPackage, error: unknown): InstallationError {
  const { code, message } = error as NodeJS.ErrnoException;
  const isAbsent = /^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? "") && message.includes(`'${name}'`);
  const lack = isAbsent ? "is not installed" : `does not load: ${message.split("\n")[0]}`;
  return new InstallationError(
    `${neededBy} needs the npm package ${name}, which ${lack}. Install it where familyseer is installed: ` +
      `npm install ${name}${otherwise === undefined ? "" : `. ${otherwise}`}`,
  );
}
