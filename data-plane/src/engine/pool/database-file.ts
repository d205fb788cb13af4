import { open, type FileHandle } from 'node:fs/promises';
import type { RestoredFile } from '../../storage/restored-file.js';
import { writeFully } from './write-fully.js';

/** A new file on the cache volume, which nobody else may read. Errors are the file system's, ENOSPC among them. */
export class DatabaseFile implements RestoredFile {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Throws the file system's error, also when there is such a file already. */
  static async create(path: string): Promise<DatabaseFile> {
    return new DatabaseFile(await open(path, 'wx', 0o600));
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    await writeFully(this.#handle, parts, position);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
