import { protocolSchema } from "./schema.js";
import { SKIP_REASONS } from "./skip-reasons.js";

/** What of JSON Schema the protocol's is written in, as far as types go. */
interface Schema {
  readonly title?: string;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
}

interface Protocol {
  readonly to_worker: Schema;
  readonly from_worker: Schema;
  readonly operations: Readonly<Record<string, { readonly params: Schema; readonly result: Schema }>>;
}

const SCALARS: Readonly<Record<string, string>> = {
  integer: "int",
  number: "float",
  string: "str",
  boolean: "bool",
  null: "None",
};
const IDENTIFIER = /^(?!(?:from|import|in|is|class|pass|def)$)[a-z_]\w*$/i;
const LINE_LENGTH = 120;
const HEAD = `"""The protocol's messages as types: what each operation takes and gives, and the closed lists of codes.

Made from src/protocol by scripts/write-protocol-schema.js, which is run after a change there; what each means stands
there, too.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union
`;

/**
 * The source of Python's `wire/messages.py`: a type for each schema with a title, and `NameParams` and `NameResult` for each
 * operation. Generators that there are for Python would be one more package in every user's set-up.
 */
export function pythonTypes(): string {
  const protocol = protocolSchema() as unknown as Protocol;
  const types = new Types();
  types.name({ ...protocol.to_worker, title: "ToWorker" });
  types.name({ ...protocol.from_worker, title: "FromWorker" });
  for (const [name, { params, result }] of Object.entries(protocol.operations)) {
    const prefix = name.charAt(0).toUpperCase() + name.slice(1);
    types.name({ ...params, title: `${prefix}Params` });
    types.name({ ...result, title: `${prefix}Result` });
  }
  const words = Object.entries(SKIP_REASONS).map(([reason, each]) => `    ${quoted(reason)}: ${quoted(each)},\n`);
  const told = `# How a person is told; in the place of the braces comes what the line says.\nSKIP_REASONS: dict[SkipReason, str] = {\n${words.join("")}}\n`;
  return [HEAD, ...types.definitions, told].reduce((before, next) => before + gap(before, next) + next);
}

/** Two empty lines around a class, as Python is written. */
function gap(before: string, next: string): string {
  const isClass = next.startsWith("class") || /^class.*\n( .*\n)*$/.test(before.slice(before.lastIndexOf("class")));
  return isClass ? "\n\n" : "\n";
}

/** Types by their names, each defined once, after those that it names. */
class Types {
  readonly #definitions = new Map<string, string>();

  get definitions(): string[] {
    return [...this.#definitions.values()];
  }

  /** How a schema is named in a type; what has a title is defined under that. */
  name(schema: Schema): string {
    const { title } = schema;
    if (title === undefined) {
      return this.#inline(schema);
    }
    const definition = this.#define(title, schema);
    const before = this.#definitions.get(title);
    if (before !== undefined && before !== definition) {
      throw new Error(`Two schemas of the protocol have the title ${title}. Expected another for one of them.`);
    }
    this.#definitions.set(title, definition);
    return title;
  }

  #define(title: string, schema: Schema): string {
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) {
      const names = choices.map((each) => this.name(each));
      return `${listed(`${title} = Union`, names)}\n`;
    }
    if (schema.enum) {
      return `${listed(`${title} = Literal`, schema.enum.map(quoted))}\n`;
    }
    const fields = Object.entries(schema.properties ?? {}).map(([name, each]) => [name, this.name(each)] as const);
    // A key that is a keyword of Python's cannot be written as a class's.
    if (fields.some(([name]) => !IDENTIFIER.test(name))) {
      const lines = fields.map(([name, type]) => `        ${quoted(name)}: ${quoted(type)},\n`);
      return `${title} = TypedDict(\n    ${quoted(title)},\n    {\n${lines.join("")}    },\n)\n`;
    }
    const lines = fields.map(([name, type]) => `    ${name}: ${type}\n`);
    return `class ${title}(TypedDict):\n${lines.length > 0 ? lines.join("") : "    pass\n"}`;
  }

  #inline(schema: Schema): string {
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) {
      return choices.map((each) => this.name(each)).join(" | ");
    }
    if (schema.const !== undefined) {
      return `Literal[${quoted(schema.const)}]`;
    }
    if (schema.enum) {
      return `Literal[${schema.enum.map(quoted).join(", ")}]`;
    }
    const { type, items, properties, additionalProperties } = schema;
    if (typeof type === "object") {
      return type.map((each) => this.#inline({ ...schema, type: each })).join(" | ");
    }
    if (type === "array") {
      return `list[${this.name(items ?? {})}]`;
    }
    if (properties) {
      throw new Error(`An object of the protocol has no title: ${Object.keys(properties).join(", ")}. Expected one.`);
    }
    if (type === "object") {
      const values = typeof additionalProperties === "object" ? additionalProperties : {};
      return `dict[str, ${this.name(values)}]`;
    }
    return SCALARS[type ?? ""] ?? "Any";
  }
}

/** `start[a, b]`, on a line for each where it is too long for one. */
function listed(start: string, parts: readonly string[]): string {
  const line = `${start}[${parts.join(", ")}]`;
  return line.length <= LINE_LENGTH ? line : `${start}[\n${parts.map((part) => `    ${part},\n`).join("")}]`;
}

function quoted(value: unknown): string {
  return JSON.stringify(value);
}
