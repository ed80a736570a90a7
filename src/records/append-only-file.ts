import { constants } from "node:fs";
import { copyFile, type FileHandle, open, stat } from "node:fs/promises";
import { LogWriteError } from "../errors.js";
import { keptOf } from "./paths.js";

const LINE_BREAK = 0x0a;
const CHUNK = 1 << 16;

/**
 * A file of lines of JSON that only grows, with one writer. A line is on the disk when `append` returns, and in the file
 * whole or not at all.
 */
export class AppendOnlyFile {
  readonly #file: FileHandle;
  #size: number;

  private constructor(
    readonly path: string,
    file: FileHandle,
    size: number,
  ) {
    this.#file = file;
    this.#size = size;
  }

  /** Opens or makes it. What a kill or a full disk left of a last line is dropped. */
  static async open(path: string): Promise<AppendOnlyFile> {
    const file = await open(path, "a+").catch(({ code, message }: NodeJS.ErrnoException) => {
      throw new LogWriteError(`${path} cannot be written (${code ?? message}). Choose a path you may write to.`);
    });
    try {
      return new AppendOnlyFile(path, file, await endOfLines(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * @throws LogWriteError if the lines are not in the file: the disk is full, or the file was removed or replaced. Then
   * nothing of them is in it, and of a file that was removed all that was in it has been written again.
   */
  async append(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) {
      return;
    }
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    try {
      await this.#file.appendFile(bytes);
      await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(this.#size).catch(() => undefined);
      const { code, message } = error as NodeJS.ErrnoException;
      throw new LogWriteError(
        `${this.path} cannot be written (${code ?? message}). All that was recorded before is in it. Free the disk, then go on ` +
          "with --resume.",
      );
    }
    this.#size += bytes.length;
    await this.requireInPlace();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /**
   * That the path still leads to the file: what is written to a removed one is lost without an error.
   *
   * @throws LogWriteError if it does not, as `append` does.
   */
  async requireInPlace(): Promise<void> {
    const ours = await this.#file.stat();
    const there = await stat(this.path).catch(() => null);
    if (there?.ino !== ours.ino || there.dev !== ours.dev) {
      const kept = await this.#writeAgain(there === null ? this.path : keptOf(this.path));
      throw new LogWriteError(
        `${this.path} was ${there === null ? "removed" : "replaced by another file"} while it was written. ` +
          (kept === null
            ? `What was in it could not be written again: put its folder back and start anew.`
            : `All that was in it is now in ${kept}. Go on with --resume${there === null ? "" : ", once it is back in its place"}.`),
      );
    }
  }

  async #writeAgain(path: string): Promise<string | null> {
    try {
      await copyFile(`/proc/self/fd/${this.#file.fd}`, path, constants.COPYFILE_EXCL);
      return path;
    } catch {
      return null;
    }
  }
}

/** The file's size in bytes, once it ends with a line: a last one that only lacks its break gets it, a torn one goes. */
async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const end = await lastLineBreak(file, size);
  if (end === size) {
    return size;
  }
  const last = Buffer.alloc(size - end);
  await file.read(last, 0, last.length, end);
  if (isJson(last.toString())) {
    await file.appendFile("\n");
    return size + 1;
  }
  await file.truncate(end);
  return end;
}

/** The byte after the last line break. */
async function lastLineBreak(file: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK);
  for (let end = size; end > 0; end -= CHUNK) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const found = chunk.subarray(0, bytesRead).lastIndexOf(LINE_BREAK);
    if (found >= 0) {
      return start + found + 1;
    }
  }
  return 0;
}

/** A line of our own files is an object or an array, which no part of it is. */
function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
