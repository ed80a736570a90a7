import { Packr } from "msgpackr";
import { z } from "zod";
import { ProtocolError } from "../errors.js";
import { LIMITS } from "./limits.js";
import { type FromWorker, fromWorker, type ToWorker } from "./messages.js";
import { checkBounds } from "./msgpack-bounds.js";

/** Of what is wrong with a message, so many characters are told. */
const TOLD = 2000;

// Python's msgpack knows no records extension, and dates are never sent.
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true, int64AsType: "number" });

/** @throws ProtocolError for a message of more bytes than may be sent. */
export function encode(message: ToWorker): Buffer {
  const bytes = packr.pack(message);
  if (bytes.length > LIMITS.message_bytes) {
    throw new ProtocolError(
      `A ${message.type} message of ${bytes.length} bytes is too long: at most ${LIMITS.message_bytes} are sent.`,
    );
  }
  return bytes;
}

/** @throws ProtocolError for bytes that are not a message of this protocol, or one beyond its limits. */
export function decode(bytes: Uint8Array): FromWorker {
  if (bytes.length > LIMITS.message_bytes) {
    throw new ProtocolError(`The worker sent ${bytes.length} bytes; a message has at most ${LIMITS.message_bytes}.`);
  }
  let content: unknown;
  try {
    checkBounds(bytes, LIMITS);
    content = packr.unpack(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProtocolError(`The worker sent ${bytes.length} bytes that are not msgpack of this protocol: ${reason}.`);
  }
  const message = fromWorker.safeParse(content);
  if (!message.success) {
    throw new ProtocolError(`The worker sent a message that is not of the protocol:\n${whatIsWrong(message.error)}`);
  }
  return message.data;
}

/** What is wrong with a message, for people. The first issues say it; a hostile message has millions. */
export function whatIsWrong({ issues }: z.ZodError): string {
  return z.prettifyError(new z.ZodError(issues.slice(0, 10))).slice(0, TOLD);
}
