export const PROTOCOL_VERSION = 11;

/** What either side may send at most. More is a fault of the sender, and ends the session. */
export const LIMITS = {
  /** Bytes of a message. */
  message_bytes: 64 * 1024 * 1024,
  /** Requests that wait for their answer. */
  requests: 1000,
  /** Items of one array or map in a message to a worker. */
  items: 100_000,
  /** Values in a message from a worker: each string, number, element, key. */
  values: 2_000_000,
  /** Arrays and maps within one another in a message from a worker. */
  depth: 16,
} as const;
