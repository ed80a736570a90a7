import type { Draw } from "../random.js";

/** C++'s `std::minstd_rand`, as TVM has it (include/tvm/support/random_engine.h). */
const MULTIPLIER = 48_271;
const MODULUS = 2_147_483_647;

/** Draws as TVM's own samplers do on Linux, where the C++ library is GNU's: equal seeds draw the same as there. */
export function minstdDraw(seed: number): Draw {
  let state = seed % MODULUS || 1;
  return (count) => {
    if (count === 1) {
      return 0;
    }
    const width = Math.floor((MODULUS - 1) / count);
    do {
      state = (state * MULTIPLIER) % MODULUS;
    } while (state >= width * count);
    return Math.floor(state / width);
  };
}
