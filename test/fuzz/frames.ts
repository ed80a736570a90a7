import { pack } from "msgpackr/pack";
import { seededDraw } from "../../src/core/random.js";

/** What of JSON Schema the protocol's is written in. */
export interface Schema {
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

type Node = Record<string, unknown> | unknown[];

const HEADS = [0xdb, 0xdd, 0xdf, 0xda, 0xdc, 0xde, 0xc6, 0xc9];
const WORDS = ["", "a", "llvm", "__proto__", "constructor", "\u0000", "é𝄞", "x".repeat(300)];

/** Messages of one direction, and everything but: the same seed makes the same ones. */
export class Frames {
  readonly #draw: (count: number) => number;
  #last = Buffer.alloc(0);

  constructor(
    seed: number,
    private readonly message: Schema,
    /** The parameters of each operation, for messages that are requests. */
    private readonly params: Readonly<Record<string, Schema>> = {},
  ) {
    this.#draw = seededDraw(seed);
  }

  /** Of ten, three are as the schema has them. */
  next(): Buffer {
    const kind = this.#draw(100);
    const message = this.#message();
    if (kind < 30) {
      this.#last = pack(message);
      return this.#last;
    }
    if (kind < 65) {
      return pack(this.#mutateValue(message));
    }
    if (kind < 90) {
      return this.#mutateBytes(Buffer.from(pack(message)));
    }
    return kind < 97 ? this.#bytes(this.#draw(64)) : this.#bomb();
  }

  #message(): unknown {
    const message = this.#valid(this.message) as Record<string, unknown>;
    const params = message["type"] === "request" ? this.params[String(message["operation"])] : undefined;
    return params ? { ...message, params: this.#valid(params) } : message;
  }

  /** Any value that fits a schema. */
  #valid(schema: Schema): unknown {
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) {
      return this.#valid(this.#one(choices));
    }
    if (schema.const !== undefined) {
      return schema.const;
    }
    if (schema.enum) {
      return this.#one(schema.enum);
    }
    switch (schema.type ?? "any") {
      case "object":
        return this.#validObject(schema);
      case "array":
        return Array.from({ length: (schema.minItems ?? 0) + this.#draw(4) }, () => this.#valid(schema.items ?? {}));
      case "integer":
        return (schema.minimum ?? 0) + this.#draw(4);
      case "number":
        return (schema.minimum ?? 0) + this.#draw(100) / 100;
      case "boolean":
        return this.#draw(2) === 1;
      case "string":
        return `${this.#one(WORDS)}!`;
      case "null":
        return null;
      default:
        return this.#junk();
    }
  }

  #validObject({ properties, additionalProperties }: Schema): unknown {
    if (properties) {
      return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, this.#valid(schema)]));
    }
    const schema = typeof additionalProperties === "object" ? additionalProperties : {};
    return Object.fromEntries(
      Array.from({ length: this.#draw(3) }, (_, index) => [`key${index}`, this.#valid(schema)]),
    );
  }

  /** Something is replaced, missing, or too much, somewhere in it. */
  #mutateValue(value: unknown): unknown {
    const nodes: Node[] = [];
    collect(value, nodes);
    const node = this.#one(nodes);
    if (node === undefined || this.#draw(20) === 0) {
      return this.#junk();
    }
    if (Array.isArray(node)) {
      node.splice(this.#draw(node.length + 1), this.#draw(2), this.#junk());
      return value;
    }
    const key = this.#one(Object.keys(node));
    const change = this.#draw(3);
    if (change === 0 && key !== undefined) {
      delete node[key];
    } else if (change === 1 || key === undefined) {
      Object.defineProperty(node, this.#one(WORDS), { value: this.#junk(), enumerable: true, configurable: true });
    } else {
      node[key] = this.#junk();
    }
    return value;
  }

  #mutateBytes(bytes: Buffer): Buffer {
    const at = this.#draw(bytes.length);
    switch (this.#draw(6)) {
      case 0:
        bytes[at] = this.#draw(256);
        return bytes;
      case 1:
        return bytes.subarray(0, at);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), this.#bytes(1 + this.#draw(8)), bytes.subarray(at)]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), this.#huge(), bytes.subarray(at)]);
      case 4:
        return Buffer.concat([bytes, this.#last]);
      default:
        return Buffer.concat([bytes.subarray(0, at), this.#last.subarray(this.#draw(this.#last.length + 1))]);
    }
  }

  #junk(): unknown {
    const values: unknown[] = [
      null,
      true,
      -1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      1e300,
      this.#one(WORDS),
      [],
      {},
      Buffer.alloc(3),
      new Date(0),
      [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],
      { type: { type: { type: [] } } },
      Array.from({ length: 50 }, () => ({ a: "b" })),
    ];
    return this.#one(values);
  }

  /** A few bytes that announce much. */
  #huge(): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(this.#one([0xffffffff, 0x7fffffff, 0x01ffffff, 70_000]));
    return Buffer.concat([Buffer.from([this.#one(HEADS)]), length]);
  }

  /** Deep, or announcing at every level. */
  #bomb(): Buffer {
    const levels = 1 + this.#draw(this.#draw(10) === 0 ? 200_000 : 2000);
    const level = this.#one([Buffer.from([0x91]), Buffer.from([0x81, 0xa0]), Buffer.from([0x81]), this.#huge()]);
    return Buffer.alloc(levels * level.length, level);
  }

  #bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#draw(256)));
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#draw(Math.max(1, values.length))] as T;
  }
}

function collect(value: unknown, nodes: Node[]): void {
  if (value !== null && typeof value === "object" && !(value instanceof Date) && !Buffer.isBuffer(value)) {
    nodes.push(value as Node);
    for (const child of Object.values(value)) {
      collect(child, nodes);
    }
  }
}
