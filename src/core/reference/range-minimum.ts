/** Keys of the positions 0 to n - 1, of which the least ones of any range are found, and one changed, in O(log n). */
export class RangeMinimum {
  readonly #leaves: number;
  /** By node (1 the root, 2i and 2i + 1 the children of i): the least key below it. */
  readonly #least: Float64Array;

  /** Every key is infinity at first. */
  constructor(count: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(count, 1)));
    this.#least = new Float64Array(2 * this.#leaves).fill(Number.POSITIVE_INFINITY);
  }

  get(position: number): number {
    return this.#at(this.#leaves + position);
  }

  set(position: number, key: number): void {
    let node = this.#leaves + position;
    this.#least[node] = key;
    for (node = Math.floor(node / 2); node >= 1; node = Math.floor(node / 2)) {
      this.#least[node] = Math.min(this.#at(2 * node), this.#at(2 * node + 1));
    }
  }

  /** The least key of the positions `from` to `to - 1`; infinity if there are none. */
  least(from: number, to: number): number {
    let least = Number.POSITIVE_INFINITY;
    let [low, high] = [from + this.#leaves, to + this.#leaves];
    for (; low < high; low = Math.floor(low / 2), high = Math.floor(high / 2)) {
      if (low % 2 === 1) {
        least = Math.min(least, this.#at(low));
        low += 1;
      }
      if (high % 2 === 1) {
        high -= 1;
        least = Math.min(least, this.#at(high));
      }
    }
    return least;
  }

  /** The positions `from` to `to - 1` whose key is at most `bound`, ascending, in O(log n) for each of them. */
  upTo(bound: number, from: number, to: number): number[] {
    const found: number[] = [];
    this.#collect(found, bound, from, to, 1, 0, this.#leaves);
    return found;
  }

  #collect(
    found: number[],
    bound: number,
    from: number,
    to: number,
    node: number,
    first: number,
    length: number,
  ): void {
    if (first + length <= from || to <= first || !(this.#at(node) <= bound)) {
      return;
    }
    if (length === 1) {
      found.push(first);
      return;
    }
    const half = length / 2;
    this.#collect(found, bound, from, to, 2 * node, first, half);
    this.#collect(found, bound, from, to, 2 * node + 1, first + half, half);
  }

  #at(node: number): number {
    return this.#least[node] ?? Number.POSITIVE_INFINITY;
  }
}
