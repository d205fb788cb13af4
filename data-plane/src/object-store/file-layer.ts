/**
 * The file operations that durable local state is built from, and nothing else. Code that must survive the loss of power
 * goes through this interface, so that a test can put a file layer below it that forgets what was not fsynced.
 *
 * Every operation fails with Node's system errors (`code` is `ENOENT`, `EEXIST`, ...). New files and directories are
 * private to their owner.
 */
import { link, mkdir, open, opendir, readdir, rename, rmdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { types } from 'node:util';

export interface FileStatus {
  readonly sizeBytes: number;
  /** Names this file has. */
  readonly links: number;
  /** Permission bits. */
  readonly mode: number;
  readonly modifiedAtMs: number;
}

export interface OpenFile {
  /** Appends the parts in order. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** Fills `buffer` from `position`; returns the bytes read, fewer only when the file ends. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  status(): Promise<FileStatus>;
  /** Content and size survive the loss of power once this resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileLayer {
  /** Creates a file; `EEXIST` when the name is taken. */
  create(path: string): Promise<OpenFile>;
  openForReading(path: string): Promise<OpenFile>;
  openForWriting(path: string): Promise<OpenFile>;
  /** Gives an existing file one more name; `EEXIST` when that name is taken. The one atomic test-and-set used. */
  link(existingPath: string, newPath: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Moves a file over whatever file had the new name. */
  rename(oldPath: string, newPath: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  status(path: string): Promise<FileStatus>;
  /** Every name in a directory that is known to be small. */
  names(directory: string): Promise<string[]>;
  /** The names in a directory of any size, in no order, a bounded number in memory at a time. */
  streamNames(directory: string): AsyncIterable<string>;
  /** The directory's entries (not the content of its files) survive the loss of power once this resolves. */
  syncDirectory(directory: string): Promise<void>;
}

/** True when `error` is a system error, with one of the given codes when any are given. */
export function isSystemError(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException & { code: string } {
  if (!types.isNativeError(error) || !('code' in error) || !('syscall' in error)) return false;
  return typeof error.code === 'string' && (codes.length === 0 || codes.includes(error.code));
}

/** The result of `operation`, or undefined when it fails with one of the given codes. */
export async function unlessSystemError<T>(operation: Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isSystemError(error, ...codes)) return undefined;
    throw error;
  }
}

const statusOf = (stats: Stats): FileStatus => ({
  sizeBytes: stats.size,
  links: stats.nlink,
  mode: stats.mode & 0o7777,
  modifiedAtMs: stats.mtimeMs,
});

/** What POSIX lets one `writev(2)` take at least is 16; Linux takes 1,024. */
const maxParts = 16;

/** What is left of `parts` after their first `bytes`. */
function after(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = bytes;
  return parts.flatMap((part) => {
    const start = Math.min(skipped, part.byteLength);
    skipped -= start;
    return start < part.byteLength ? [part.subarray(start)] : [];
  });
}

class NodeFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    let left = parts.filter((part) => part.byteLength > 0);
    while (left.length > 0) {
      const some = left.slice(0, maxParts);
      const { bytesWritten } = await this.#handle.writev(some);
      left = [...after(some, bytesWritten), ...left.slice(maxParts)];
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.byteLength) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.byteLength - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  async status(): Promise<FileStatus> {
    return statusOf(await this.#handle.stat());
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The real file system. */
export const nodeFileLayer: FileLayer = {
  create: async (path) => new NodeFile(await open(path, 'wx', 0o600)),
  openForReading: async (path) => new NodeFile(await open(path, 'r')),
  openForWriting: async (path) => new NodeFile(await open(path, 'r+')),
  link,
  unlink,
  rename,
  makeDirectory: async (path) => {
    await mkdir(path, { mode: 0o700 });
  },
  removeDirectory: async (path) => {
    await rmdir(path);
  },
  status: async (path) => statusOf(await stat(path)),
  names: (directory) => readdir(directory),
  streamNames: async function* (directory) {
    for await (const entry of await opendir(directory, { bufferSize: 512 })) yield entry.name;
  },
  syncDirectory: async (directory) => {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
