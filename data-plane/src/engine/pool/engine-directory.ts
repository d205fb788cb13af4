/**
 * The working directory of one engine process.
 *
 * The engine process may be under an attacker's control, and the I/O process may run as root. The directory itself
 * therefore belongs to the I/O process and the engine's group may only enter it: no name in it can be turned into a
 * link while the I/O process creates or reads files by path. Each database directory is filled first and handed over
 * then. Files that the engine has held are opened only through `openForReading`.
 */
import { constants, chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, readdir, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ByocError } from '../../errors/catalogue.js';
import type { RestoredFile } from '../../storage/restored-file.js';
import { DatabaseFile } from './database-file.js';

/** The user that an engine process runs as. */
export interface EngineUser {
  readonly uid: number;
  readonly gid: number;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const reservedNames = new Set(['tmp', 'flight-record']);

export class EngineDirectory {
  readonly path: string;
  /** Undefined when the engine process runs as the user of the I/O process. */
  readonly user: EngineUser | undefined;

  private constructor(path: string, user: EngineUser | undefined) {
    this.path = path;
    this.user = user;
  }

  /** Creates the directory, empty; whatever was there is removed. Throws the file system's error. */
  static create(path: string, user: EngineUser | undefined): EngineDirectory {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o700 });
    const directory = new EngineDirectory(path, user);
    mkdirSync(directory.temporaryPath, { mode: 0o700 });
    if (user) {
      chownSync(directory.temporaryPath, user.uid, user.gid);
      chownSync(path, -1, user.gid);
      chmodSync(path, 0o750);
    }
    return directory;
  }

  /** Where the engine may put temporary files. */
  get temporaryPath(): string {
    return join(this.path, 'tmp');
  }

  /** The file through which the engine process tells what it is executing. */
  get flightRecordPath(): string {
    return join(this.path, 'flight-record');
  }

  /** Makes a file of the I/O process readable and writable, but not replaceable, for the engine. */
  share(path: string): void {
    if (!this.user) return;
    chownSync(path, -1, this.user.gid);
    chmodSync(path, 0o660);
  }

  /**
   * Creates an empty directory for one database, which the engine cannot enter before `handOver`. Throws `RangeError`
   * for a name that is not plain, ENGINE_RESTARTED when the engine process has ended and its directory is gone,
   * LOCAL_DISK_FULL, and the file system's error when the database directory exists.
   */
  async createDatabaseDirectory(name: string): Promise<{ readonly path: string }> {
    const path = this.#databasePath(name);
    await mkdir(path, { mode: 0o700 }).catch(explain);
    return { path };
  }

  /** Creates the file at `path` in a database directory that was not handed over yet. Throws the file system's error. */
  async createDatabaseFile(path: string): Promise<RestoredFile> {
    return DatabaseFile.create(path);
  }

  /**
   * Gives a database directory and the files in it to the engine. Throws ENGINE_RESTARTED when the engine process has
   * ended and its directory is gone, otherwise the file system's error.
   */
  async handOver(path: string): Promise<void> {
    if (!this.user) return;
    const { uid, gid } = this.user;
    try {
      // The directory changes hands last: until then nobody else can touch what lies in it.
      for (const entry of await readdir(path)) {
        await chown(join(path, entry), uid, gid);
        await chmod(join(path, entry), 0o600);
      }
      await chown(path, uid, gid);
    } catch (error) {
      explain(error);
    }
  }

  /**
   * Opens a file that the engine has held. Throws `INTERNAL` when the name leads
   * elsewhere or the file is not the engine's own, and the file system's error when there is none.
   */
  async openForReading(databaseDirectory: string, file: string): Promise<FileHandle> {
    if (!namePattern.test(file)) throw new RangeError(`not a plain file name: ${JSON.stringify(file)}`);
    const handle = await open(join(databaseDirectory, file), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const status = await handle.stat();
      const foreign = this.user !== undefined && status.uid !== this.user.uid;
      if (!status.isFile() || status.nlink !== 1 || foreign) {
        throw new ByocError('INTERNAL', `an engine process put something else in the place of ${file}`);
      }
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Removes a database directory while the engine may still run; removing one that is gone succeeds. Directories that
   * an engine made inside are left for `remove`, since a living engine could turn them into links meanwhile.
   */
  async removeDatabaseDirectory(name: string): Promise<void> {
    const path = this.#databasePath(name);
    try {
      if (this.user) {
        await chown(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
      }
      let flat = true;
      for (const entry of await readdir(path)) {
        const inner = join(path, entry);
        if ((await lstat(inner)).isDirectory()) flat = false;
        else await unlink(inner);
      }
      if (flat) await rmdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** Removes everything. Only after the engine process has ended. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  #databasePath(name: string): string {
    if (!namePattern.test(name) || reservedNames.has(name)) {
      throw new RangeError(`not a plain directory name: ${JSON.stringify(name)}`);
    }
    return join(this.path, name);
  }
}

/**
 * A directory is removed with its engine process; the owner of a database may meet that before it hears of the exit. Or
 * the volume has no room for one more directory.
 */
function explain(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    throw new ByocError('LOCAL_DISK_FULL', 'the cache volume has no space for the directory of a database', {
      cause: error,
    });
  }
  if (code === 'ENOENT') {
    throw new ByocError('ENGINE_RESTARTED', 'the engine process that the directory belonged to has ended', {
      cause: error,
    });
  }
  throw error;
}
