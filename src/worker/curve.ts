import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { InvalidRequestError } from "../errors.js";

/**
 * CURVE keys, ZeroMQ's authentication and encryption (RFC 26), as Z85 text of 40 characters, in files of the format that
 * ZeroMQ's own tools write (`zmq.auth` in Python, `zcert` in C): `NAME.key` is public, `NAME.key_secret` has both keys.
 */
export interface KeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** What the side that listens has: its own pair, and the public keys of those it lets in. */
export interface ServerKeys extends KeyPair {
  readonly clients: readonly string[];
}

/** What the side that connects has: its own pair, and the public key of the only one it talks to. */
export interface ClientKeys extends KeyPair {
  readonly server: string;
}

const SECRET = ".key_secret";
const PUBLIC = ".key";
const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** New keys for both sides. */
export function makeKeys(): { server: ServerKeys; client: ClientKeys } {
  const [server, client] = [curveKeyPair(), curveKeyPair()];
  return { server: { ...server, clients: [client.publicKey] }, client: { ...client, server: server.publicKey } };
}

/**
 * Writes new keys: `FOLDER/server` is for the side that listens, `FOLDER/client` for the one that connects, and each is
 * to be on its own host only. Gives the files.
 *
 * @throws InvalidRequestError if there are keys already.
 */
export function writeKeys(folder: string): string[] {
  const { server, client } = makeKeys();
  const written: [string, string][] = [
    [join(folder, "server", `server${SECRET}`), certificate(server.publicKey, server.secretKey)],
    [join(folder, "server", `client${PUBLIC}`), certificate(client.publicKey)],
    [join(folder, "client", `client${SECRET}`), certificate(client.publicKey, client.secretKey)],
    [join(folder, "client", `server${PUBLIC}`), certificate(server.publicKey)],
  ];
  const there = written.map(([file]) => file).find((file) => existsSync(file));
  if (there !== undefined) {
    throw new InvalidRequestError(`There are keys already: ${there}. Name another folder, or remove them.`);
  }
  for (const part of [folder, join(folder, "server"), join(folder, "client")]) {
    mkdirSync(part, { recursive: true, mode: 0o700 });
  }
  for (const [file, text] of written) {
    writeFileSync(file, text, { mode: 0o600, flag: "wx" });
    // The mode above counts only as far as the user's umask lets it.
    chmodSync(file, 0o600);
  }
  return written.map(([file]) => file);
}

/**
 * The keys of the side that listens, from a folder `writeKeys` made; each `*.key` in it is let in.
 *
 * @throws InvalidRequestError for keys that are not there, that others may read, or that are none.
 */
export function readServerKeys(folder: string): ServerKeys {
  const file = join(folder, `server${SECRET}`);
  const expected = "Expected the folder `server` that `familyseer keys` made.";
  try {
    const others = readdirSync(folder).filter((name) => name.endsWith(PUBLIC));
    if ((statSync(file).mode & 0o077) !== 0) {
      throw new InvalidRequestError(`${file} is open to others, who may know it by now. Make new keys, of mode 0600.`);
    }
    return {
      publicKey: readKey(file, "public"),
      secretKey: readKey(file, "secret"),
      clients: others.map((name) => readKey(join(folder, name), "public")),
    };
  } catch (error) {
    if (error instanceof InvalidRequestError) {
      throw error;
    }
    throw new InvalidRequestError(`There are no keys in ${folder}: ${(error as Error).message}. ${expected}`);
  }
}

/** The Z85 text (RFC 32) of a key, whose 32 bytes are what ZeroMQ shows of a peer. */
export function z85(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  let text = "";
  for (let at = 0; at + 4 <= key.byteLength; at += 4) {
    const value = view.getUint32(at);
    for (let power = 85 ** 4; power >= 1; power /= 85) {
      text += Z85[Math.floor(value / power) % 85];
    }
  }
  return text;
}

function readKey(file: string, kind: "public" | "secret"): string {
  const line = new RegExp(`^\\s*${kind}-key\\s*=\\s*"([0-9a-zA-Z.:+=^!/*?&<>()[\\]{}@%$#-]{40})"`, "m");
  const [, key] = line.exec(readFileSync(file, "utf8")) ?? [];
  if (key === undefined) {
    throw new InvalidRequestError(`${file} has no ${kind} CURVE key: expected a line ${kind}-key = "40 characters".`);
  }
  return key;
}

function certificate(publicKey: string, secretKey?: string): string {
  const secret = secretKey === undefined ? "" : `    secret-key = "${secretKey}"\n`;
  return `# A ZeroMQ CURVE certificate${secret && "; secret, for this host only"}\nmetadata\ncurve\n    public-key = "${publicKey}"\n${secret}`;
}
