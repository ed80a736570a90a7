/**
 * The errors a caller can act on. Each message says what was wrong, where, what was expected, and what to do.
 * Everything else that is thrown is a defect of this project.
 */
export abstract class FamilySeerError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** Something the caller asked for cannot be: a wrong name, number, file. The command line exits with 2. */
export class InvalidRequestError extends FamilySeerError {}

/** The name of a search policy is malformed or names something that does not exist. */
export class InvalidSearchPolicyError extends InvalidRequestError {}

/** The objective function returned something a scheduler cannot use; fix the function. */
export class InvalidObjectiveError extends InvalidRequestError {}

/** A part of the installation is missing or of a wrong version; `familyseer doctor` says which and what to do. */
export class InstallationError extends InvalidRequestError {}

/** A log or its journal could not be written. What was reported before is in it; the message says how to go on. */
export class LogWriteError extends FamilySeerError {}

/** The worker process ended, or stopped answering. `lastOutput` is what it printed last. Start the run again: its log is kept. */
export class WorkerLostError extends FamilySeerError {
  constructor(
    message: string,
    readonly lastOutput: readonly string[] = [],
  ) {
    super(lastOutput.length > 0 ? `${message} Its last lines of output:\n  ${lastOutput.join("\n  ")}` : message);
  }
}

/** A request was not answered before its deadline; the worker may still be busy with it. */
export class DeadlineError extends FamilySeerError {}

/** The worker could not do what it was asked to; the message is the worker's own. */
export class WorkerFailureError extends FamilySeerError {}

/** No program of a job ran, so that it has no result; the message has the first error. Its records are in the log. */
export class NothingRanError extends FamilySeerError {}

/** The caller cancelled the request (an AbortSignal). */
export class CancelledError extends FamilySeerError {}

/** A message that is not of the protocol arrived; the two sides are of different versions, or one has a defect. */
export class ProtocolError extends FamilySeerError {}
