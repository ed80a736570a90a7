import { type FileHandle, mkdir, open, readFile, rmdir, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tryLock } from "fs-native-extensions";
import { z } from "zod";
import { CancelledError, InvalidRequestError } from "../errors.js";
import { lockOf } from "./paths.js";

const LOOK_AGAIN_MS = 200;

/**
 * The right to write to a log: the kernel's lock on a file beside it, which ends with the process that has it, however that
 * ends. Processes that it starts do not inherit it. The folder of a new database is made for it, and goes with it if nothing
 * else is in it: each job that waits for its turn may find it gone.
 */
export class LogLock {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    /** The folder that was made for it, if any was. */
    private readonly folder: string | undefined,
  ) {}

  /**
   * Takes it; with `waiting` as soon as no other job has it, or until that aborts.
   *
   * @throws InvalidRequestError if another job has it; CancelledError.
   */
  static async take(log: string, waiting: AbortSignal | null): Promise<LogLock> {
    const path = lockOf(log);
    for (;;) {
      const lock = await LogLock.#try(path);
      if (lock) {
        return lock;
      }
      if (waiting === null) {
        throw new InvalidRequestError(
          `Another job${await holder(path)} writes to ${log}. Expected one at a time: choose another --log, or pass --wait to ` +
            "start when it is done.",
        );
      }
      await setTimeout(LOOK_AGAIN_MS, undefined, { signal: waiting }).catch(() => {
        throw new CancelledError(`The job was ended while it waited for ${log}.`);
      });
    }
  }

  async release(): Promise<void> {
    await unlink(this.path).catch(() => undefined);
    await this.file.close();
    if (this.folder !== undefined) {
      await rmdir(this.folder).catch(() => undefined);
    }
  }

  static async #try(path: string): Promise<LogLock | null> {
    const folder = await mkdir(dirname(path), { recursive: true }).catch(refuse(path));
    const file = await open(path, "a").catch(refuse(path));
    try {
      if (tryLock(file.fd) && (await isAt(path, file))) {
        await file.truncate(0);
        await file.appendFile(JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
        return new LogLock(path, file, folder);
      }
    } catch (error) {
      await file.close();
      return refuse(path)(error as NodeJS.ErrnoException);
    }
    await file.close();
    return null;
  }
}

/** One that was removed when its job ended is no one's lock any more. */
async function isAt(path: string, file: FileHandle): Promise<boolean> {
  const [ours, there] = [await file.stat(), await stat(path).catch(() => null)];
  return there?.ino === ours.ino;
}

const holderSchema = z.object({ pid: z.number().int(), since: z.iso.datetime() });

async function holder(path: string): Promise<string> {
  try {
    const { pid, since } = holderSchema.parse(JSON.parse(await readFile(path, "utf8")));
    return `, process ${pid} since ${since},`;
  } catch {
    return "";
  }
}

function refuse(path: string): (error: NodeJS.ErrnoException) => never {
  return ({ code, message }) => {
    throw new InvalidRequestError(
      `${path} cannot be written (${code ?? message}), which keeps two jobs from one log. Choose a log in a folder you may write to.`,
    );
  };
}
