import { ProtocolError } from "../errors.js";

/** Bytes that follow the head of a value of fixed size, by its first byte: floats and integers. */
const FIXED = new Map([
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
]);
/** Bytes of the length that follows, by the first byte: strings, arrays, maps. */
const LENGTHS = new Map([
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
]);

export interface Bounds {
  /** Values in all: each string, number, element, key. */
  readonly values: number;
  /** Arrays and maps within one another. */
  readonly depth: number;
}

/**
 * Walks over one msgpack value and builds nothing: a few bytes can announce arrays of gigabytes, which an unpacker
 * reserves before it misses them. Only what JSON has is let through: no binary, no extension.
 *
 * @throws ProtocolError for bytes that are not one such value, or one beyond the bounds.
 */
export function checkBounds(bytes: Uint8Array, { values, depth }: Bounds): void {
  /** Of each array and map we are in: how many values are still to come. */
  const open: number[] = [];
  let at = 0;
  let announced = 1;
  do {
    const head = readHead(bytes, at);
    at = head.next;
    announced += head.children;
    if (at > bytes.length || head.children > bytes.length - at) {
      throw new ProtocolError(`ends after ${bytes.length} bytes in the middle of a value`);
    }
    if (announced > values) {
      throw new ProtocolError(`has more than ${values} values`);
    }
    if (head.children > 0) {
      open.push(head.children);
      if (open.length > depth) {
        throw new ProtocolError(`is nested deeper than ${depth}`);
      }
    } else {
      leave(open);
    }
  } while (open.length > 0);
  if (at !== bytes.length) {
    throw new ProtocolError(`has ${bytes.length - at} bytes too many`);
  }
}

/** A value is complete, and with it each array and map whose last value it was. */
function leave(open: number[]): void {
  while (open.length > 0) {
    const left = (open.pop() ?? 0) - 1;
    if (left > 0) {
      open.push(left);
      return;
    }
  }
}

/** Where the value at `at` goes on after its head (for a string: after its text), and how many values it holds. */
function readHead(bytes: Uint8Array, at: number): { readonly next: number; readonly children: number } {
  const first = bytes[at] ?? 0xc0;
  const next = at + 1;
  if (first < 0x80 || first >= 0xe0 || first === 0xc0 || first === 0xc2 || first === 0xc3) {
    return { next, children: 0 };
  }
  if (first < 0x90) {
    return { next, children: 2 * (first & 0x0f) };
  }
  if (first < 0xa0) {
    return { next, children: first & 0x0f };
  }
  if (first < 0xc0) {
    return { next: next + (first & 0x1f), children: 0 };
  }
  const size = FIXED.get(first);
  if (size !== undefined) {
    return { next: next + size, children: 0 };
  }
  const digits = LENGTHS.get(first);
  if (digits === undefined) {
    throw new ProtocolError(`has a value of a kind that is never sent (0x${first.toString(16)})`);
  }
  const length = readLength(bytes, next, digits);
  const after = next + digits;
  if (first <= 0xdb) {
    return { next: after + length, children: 0 };
  }
  return { next: after, children: first <= 0xdd ? length : 2 * length };
}

function readLength(bytes: Uint8Array, at: number, digits: number): number {
  let length = 0;
  for (let index = at; index < at + digits; index += 1) {
    length = length * 256 + (bytes[index] ?? 0);
  }
  return length;
}
