import { inspect } from "node:util";
import { z } from "zod";
import { InvalidRequestError } from "../errors.js";
import { DTYPES } from "../protocol/operations/extract.js";
import type { Params } from "../protocol/operations/index.js";

export type Dtype = (typeof DTYPES)[number];

/** What a network from a file is to be compiled for, where the file leaves it open. */
export interface NetworkInput {
  readonly name: string;
  /** Extents of at least 1; none for a scalar. */
  readonly shape: readonly number[];
  /** The file's own if left out. */
  readonly dtype?: Dtype | undefined;
}

const SIZES = /^([1-9]\d*(x[1-9]\d*)*|scalar)$/;
/** TVM counts extents by 32 bits. */
const LARGEST_EXTENT = 2 ** 31 - 1;
/** As far as the types say it, which callers in JavaScript do not read. */
const listed = z.array(
  z.object({ name: z.string(), shape: z.array(z.number()), dtype: z.string().nullable().default(null) }),
);
const EXPECTED = "Expected NAME:SIZES[:DTYPE], such as image:1x3x224x224, ids:1x128:int64 or length:scalar:int32";

/**
 * Reads `NAME:SIZES[:DTYPE]`. A name may have colons in it, so that the text is read from its end.
 *
 * @throws InvalidRequestError for any other text.
 */
export function parseInput(text: string): NetworkInput {
  const parts = text.split(":");
  const last = parts.at(-1) ?? "";
  const [sizes, dtype] = SIZES.test(last) ? [last, undefined] : [parts.at(-2) ?? "", last];
  const name = parts.slice(0, dtype === undefined ? -1 : -2).join(":");
  if (!SIZES.test(sizes) || name === "") {
    throw new InvalidRequestError(`${text} is no input. ${EXPECTED}.`);
  }
  const shape = sizes === "scalar" ? [] : sizes.split("x").map(Number);
  return dtype === undefined ? { name, shape } : { name, shape, dtype: requireDtype(name, dtype) };
}

/**
 * Inputs as the protocol has them.
 *
 * @throws InvalidRequestError for what is no list of inputs, or no input: extents that are no whole numbers, a dtype there is not.
 */
export function checkInputs(inputs: readonly NetworkInput[]): Params<"extract">["inputs"] {
  const { data, success } = listed.safeParse(inputs);
  if (!success) {
    throw new InvalidRequestError(
      `inputs cannot be ${inspect(inputs, { breakLength: Number.POSITIVE_INFINITY })}. Expected a list such as ` +
        '[{ name: "image", shape: [1, 3, 224, 224], dtype: "float32" }].',
    );
  }
  return data.map(({ name, shape, dtype }) => {
    if (!shape.every((extent) => Number.isInteger(extent) && extent >= 1 && extent <= LARGEST_EXTENT)) {
      throw new InvalidRequestError(
        `The input ${name} cannot be ${shape.join("x")}. Expected whole numbers from 1 to ${LARGEST_EXTENT}.`,
      );
    }
    return { name, shape, dtype: dtype === null ? null : requireDtype(name, dtype) };
  });
}

function requireDtype(name: string, text: string): Dtype {
  const dtype = DTYPES.find((each) => each === text);
  if (dtype === undefined) {
    throw new InvalidRequestError(
      `The input ${name} cannot be of dtype ${text}. Expected one of ${DTYPES.join(", ")}.`,
    );
  }
  return dtype;
}
