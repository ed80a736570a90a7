import { CommanderError } from "@commander-js/extra-typings";
import { FamilySeerError, InvalidRequestError } from "../errors.js";

/** What a command's process ends with. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** What the user can put right: a wrong option, name, file or installation. */
  usage: 2,
  /** What a shell expects of a program that Ctrl-C ended. */
  interrupted: 130,
} as const;

/** The exit code for an error that ended a command, which is told here. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its message already.
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  if (error instanceof FamilySeerError) {
    console.error(`familyseer: ${error.message}`);
    return error instanceof InvalidRequestError ? EXIT.usage : EXIT.failed;
  }
  console.error("familyseer: this is a defect of familyseer, please report it:", error);
  return EXIT.failed;
}
