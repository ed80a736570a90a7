import { rmSync } from "node:fs";
import { type FileHandle, mkdtemp, open, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLock } from "fs-native-extensions";

const PREFIX = "familyseer-job-";
/** Locked by the process that made the folder for as long as it lives. */
const OWNER = "owner";
const SOCKET = "worker";
/** The longest path of a Unix socket, in bytes (ZeroMQ's, and Linux's without the zero at its end). */
export const LONGEST_SOCKET = 107;
/** Where a socket is that has no place among the temporary files. */
const SHORT_FOLDER = "/tmp";

/**
 * A folder, open to this user alone, for what one worker needs on the disk while it lives: its socket and its temporary
 * files. It goes with this process's exit at the latest; one whose process was killed goes when the next is made.
 */
export class JobFolder {
  readonly #onExit = () => this.#remove();

  private constructor(
    readonly path: string,
    private readonly owner: FileHandle,
    /** Of its own for the socket, where `path` is too long for one. */
    private readonly short: JobFolder | null,
  ) {
    // A process that exits at once, as on a second Ctrl-C, does not get to remove().
    process.on("exit", this.#onExit);
  }

  static async make(among = tmpdir()): Promise<JobFolder> {
    await removeAbandoned(among);
    for (;;) {
      const path = await mkdtemp(join(among, PREFIX));
      const owner = await own(path);
      if (owner) {
        const fits = Buffer.byteLength(join(path, SOCKET)) <= LONGEST_SOCKET;
        return new JobFolder(path, owner, fits ? null : await JobFolder.make(SHORT_FOLDER));
      }
    }
  }

  /** The path of the worker's socket, short enough for one. */
  get socket(): string {
    return join((this.short ?? this).path, SOCKET);
  }

  async remove(): Promise<void> {
    await this.short?.remove();
    process.off("exit", this.#onExit);
    this.#remove();
    await this.owner.close();
  }

  #remove(): void {
    // Processes that were ended a moment ago may still be writing.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Locks a folder that was just made; null if another job took it for abandoned before. */
async function own(path: string): Promise<FileHandle | null> {
  const file = join(path, OWNER);
  const owner = await open(file, "wx").catch(unlessMissing);
  if (owner && tryLock(owner.fd) && (await stat(file).catch(unlessMissing))) {
    return owner;
  }
  await owner?.close();
  return null;
}

async function removeAbandoned(among: string): Promise<void> {
  const names = (await readdir(among)).filter((name) => name.startsWith(PREFIX));
  for (const path of names.map((name) => join(among, name))) {
    try {
      await removeUnlessOwned(path);
    } catch {
      // Another user's, or another job removes it at this moment.
    }
  }
}

async function removeUnlessOwned(path: string): Promise<void> {
  const owner = await open(join(path, OWNER), "r+").catch(unlessMissing);
  try {
    // Without the file it was being made, or removed, when its process was killed.
    if (!owner || tryLock(owner.fd)) {
      rmSync(path, { recursive: true, force: true });
    }
  } finally {
    await owner?.close();
  }
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") {
    return null;
  }
  throw error;
}
