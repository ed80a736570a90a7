/** From this many units on, a sum has reached the next power of two, and its unit is another. */
const UNITS_PER_OCTAVE = 2 ** 53;
/** Distance of neighbouring doubles by the exponent bits that they share. */
const UNITS = Float64Array.from({ length: 2047 }, (_, exponent) => 2 ** (exponent - 1075));
const NOT_BUILT = -1;
/** So few terms are added sooner one by one than at once (measured: 8, 16 and 32 differ little). */
const ADDED_ONE_BY_ONE = 16;

/**
 * Adds numbers up as `terms.reduce((sum, term) => sum + term, 0)` does, to the last bit, but in O(log n) after a term
 * has changed or for one term replaced. (Terms that are not all about 0 or above are added right too, but one by one.)
 *
 * Rounding makes the order of additions matter, so sums of parts cannot just be added. But while the running sum stays
 * between two powers of two it is a whole number of units, and a term adds a whole number of them: which, depends on
 * the sum only if the term ends in exactly half a unit, as halves are rounded to the even neighbour. So what a run of
 * terms adds comes down to two numbers, one for an even and one for an odd sum. They are kept in a binary tree over
 * the terms, made when asked for; where a run passes a power of two, its halves are added one after the other.
 */
export class OrderedSum {
  readonly #leaves: number;
  /** By node (1 the root, 2i and 2i + 1 the children of i): the terms' sum, rounded anyhow. */
  readonly #totals: Float64Array;
  /** By node, twice, for even and odd exponents: the exponent that the units are for, and the units added. */
  readonly #exponents: Int16Array;
  readonly #unitsIfEven: Float64Array;
  readonly #unitsIfOdd: Float64Array;

  constructor(terms: readonly number[]) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(terms.length, 1)));
    this.#totals = new Float64Array(2 * this.#leaves);
    this.#exponents = new Int16Array(4 * this.#leaves).fill(NOT_BUILT);
    this.#unitsIfEven = new Float64Array(4 * this.#leaves);
    this.#unitsIfOdd = new Float64Array(4 * this.#leaves);
    this.#totals.set(terms, this.#leaves);
    for (let node = this.#leaves - 1; node >= 1; node -= 1) {
      this.#totals[node] = at(this.#totals, 2 * node) + at(this.#totals, 2 * node + 1);
    }
  }

  set(index: number, term: number): void {
    for (let node = this.#leaves + index; node >= 1; node = Math.floor(node / 2)) {
      const isLeaf = node >= this.#leaves;
      this.#totals[node] = isLeaf ? term : at(this.#totals, 2 * node) + at(this.#totals, 2 * node + 1);
      this.#exponents.fill(NOT_BUILT, 2 * node, 2 * node + 2);
    }
  }

  total(): number {
    return this.#add(0, 0, this.#leaves);
  }

  /** What {@link total} were if the term at `index` were `term`. */
  totalWith(index: number, term: number): number {
    return this.#add(this.#add(0, 0, index) + term, index + 1, this.#leaves);
  }

  /** `sum` with the terms `from` to `to - 1` added one after the other. `node` holds the `length` terms from `first`. */
  #add(sum: number, from: number, to: number, node = 1, first = 0, length = this.#leaves): number {
    if (first + length <= from || to <= first) {
      return sum;
    }
    if (length <= ADDED_ONE_BY_ONE) {
      let result = sum;
      for (let index = Math.max(first, from); index < Math.min(first + length, to); index += 1) {
        result += at(this.#totals, this.#leaves + index);
      }
      return result;
    }
    const jumped = from <= first && first + length <= to ? this.#addAtOnce(sum, node) : null;
    if (jumped !== null) {
      return jumped;
    }
    const half = length / 2;
    const between = this.#add(sum, from, to, 2 * node, first, half);
    return this.#add(between, from, to, 2 * node + 1, first + half, half);
  }

  /** `sum` with all terms of a node added; null where that is not one jump. */
  #addAtOnce(sum: number, node: number): number | null {
    const exponent = exponentBits(sum);
    const unit = UNITS[exponent];
    // Only a look, so that units are not made for runs that pass a power of two.
    const passes = unit === undefined || sum + at(this.#totals, node) > unit * UNITS_PER_OCTAVE * (1 + 1e-9);
    if (passes || exponent === 0) {
      return null;
    }
    this.#build(node, exponent);
    const units = sum / unit;
    const added = units % 2 === 0 ? this.#unitsIfEven : this.#unitsIfOdd;
    const after = units + at(added, slot(node, exponent));
    return after < UNITS_PER_OCTAVE ? after * unit : null;
  }

  #build(node: number, exponent: number): void {
    const here = slot(node, exponent);
    if (this.#exponents[here] === exponent) {
      return;
    }
    if (node >= this.#leaves) {
      const term = at(this.#totals, node);
      const units = term >= 0 ? term / at(UNITS, exponent) : Number.NaN;
      const whole = Math.floor(units);
      const rest = units - whole;
      const odd = whole % 2;
      this.#unitsIfEven[here] = rest === 0.5 ? whole + odd : Math.round(units);
      this.#unitsIfOdd[here] = rest === 0.5 ? whole + 1 - odd : Math.round(units);
    } else {
      const left = slot(2 * node, exponent);
      const right = slot(2 * node + 1, exponent);
      this.#build(2 * node, exponent);
      this.#build(2 * node + 1, exponent);
      const ifEven = at(this.#unitsIfEven, left);
      const ifOdd = at(this.#unitsIfOdd, left);
      this.#unitsIfEven[here] = ifEven + at(ifEven % 2 === 0 ? this.#unitsIfEven : this.#unitsIfOdd, right);
      this.#unitsIfOdd[here] = ifOdd + at(ifOdd % 2 === 0 ? this.#unitsIfOdd : this.#unitsIfEven, right);
    }
    this.#exponents[here] = exponent;
  }
}

/** Neighbouring exponents have places of their own, since sums that differ by little ask for them in turn. */
function slot(node: number, exponent: number): number {
  return 2 * node + (exponent % 2);
}

const view = new DataView(new ArrayBuffer(8));

/** Sign and exponent of a double: 1 to 2046 for a positive number of full precision. */
function exponentBits(value: number): number {
  view.setFloat64(0, value);
  return view.getUint16(0) >>> 4;
}

function at(array: Float64Array, index: number): number {
  return array[index] ?? Number.NaN;
}
