import { DAY } from "../../operation.js";

/** A user's search, objective or callback may take as long as it takes; the heartbeats say that the process is there. */
export const PATIENCE_MS = 14 * DAY;
