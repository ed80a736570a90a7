import { rmSync } from "node:fs";
import { chmod, type FileHandle, mkdtemp, open, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";

const PREFIX = "familyseer-job-";
/** Locked by the process that made the folder for as long as it lives. */
const OWNER = "owner";
/** A folder without that file, so many milliseconds after it was made, is of a process that was killed before it got to it. */
const MADE_BY_THEN_MS = 60_000;

/**
 * A folder, open to this user alone, for what one worker needs on the disk while it lives: its socket and its temporary
 * files. It goes with this process's exit at the latest; one whose process was killed goes when the next is made.
 */
export class JobFolder {
  readonly #onExit = () => this.#remove();

  private constructor(
    readonly path: string,
    private readonly owner: FileHandle,
  ) {
    // A process that exits at once, as on a second Ctrl-C, does not get to remove().
    process.on("exit", this.#onExit);
  }

  static async make(): Promise<JobFolder> {
    await removeAbandoned();
    const path = await mkdtemp(join(tmpdir(), PREFIX));
    await chmod(path, 0o700);
    const owner = await open(join(path, OWNER), "w");
    tryLock(owner.fd);
    return new JobFolder(path, owner);
  }

  async remove(): Promise<void> {
    process.off("exit", this.#onExit);
    this.#remove();
    await this.owner.close();
  }

  #remove(): void {
    // Processes that were ended a moment ago may still be writing.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function removeAbandoned(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  for (const path of names.map((name) => join(tmpdir(), name))) {
    try {
      if (await isAbandoned(path)) {
        rmSync(path, { recursive: true, force: true });
      }
    } catch {
      // Another user's, or another job removes it at this moment.
    }
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const owner = await open(join(path, OWNER), "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") {
      return null;
    }
    throw error;
  });
  if (!owner) {
    return Date.now() - (await stat(path)).mtimeMs > MADE_BY_THEN_MS;
  }
  try {
    return tryLock(owner.fd);
  } finally {
    await owner.close();
  }
}
