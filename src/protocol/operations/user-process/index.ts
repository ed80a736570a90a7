import { begin } from "./begin.js";
import { describe } from "./describe.js";
import { draw } from "./draw.js";
import { finish } from "./finish.js";
import { observe } from "./observe.js";
import { score } from "./score.js";
import { search } from "./search.js";

/**
 * What only the user's own process answers: the drop-in TaskScheduler, whose tasks, search policies, objective and callbacks
 * are the user's.
 */
export const userProcessOperations = { describe, begin, score, draw, search, observe, finish } as const;
