import { dirname } from 'node:path';
import type { DurableDirectories } from './durable-directories.js';
import { isSystemError, unlessSystemError, type FileLayer } from './file-layer.js';
import { encodeHeader, type ObjectHeader } from './object-file.js';
import { OutcomeUnknownError, StoreUnavailableError, type ETag, type WriteResult } from './object-store.js';
import type { StoreDirectory } from './store-directory.js';

/** Failures of `link(2)` after which the name certainly does not exist. */
const linkRefused = [
  'EACCES',
  'EDQUOT',
  'ELOOP',
  'EMLINK',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'ENOTDIR',
  'EPERM',
  'EROFS',
  'EXDEV',
];

/** Puts one version of an object under a name that only one writer can get: file fsync, link, directory fsync. */
export class Publisher {
  readonly #files: FileLayer;
  readonly #directory: StoreDirectory;
  readonly #directories: DurableDirectories;
  readonly #onCleanupError: (error: unknown) => void;

  constructor(
    files: FileLayer,
    directory: StoreDirectory,
    directories: DurableDirectories,
    onCleanupError: (error: unknown) => void,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#directories = directories;
    this.#onCleanupError = onCleanupError;
  }

  /**
   * Won when the version got the name `path` and `counts`, asked afterwards, confirms that the name was worth having.
   * Throws `StoreUnavailableError` when certainly nothing took effect, `OutcomeUnknownError` otherwise.
   */
  async publish(
    header: ObjectHeader,
    body: Uint8Array,
    path: string,
    counts?: () => Promise<boolean>,
  ): Promise<WriteResult> {
    const directory = dirname(path);
    let mayHaveEffect = false;
    try {
      const temporary = await this.#prepare([encodeHeader(header), body], directory);
      mayHaveEffect = true;
      const linked = await this.#link(temporary, path);
      if (linked !== 'linked') {
        mayHaveEffect = false;
        await this.#cleanUp(() => this.#directory.temporary.remove(temporary));
        if (linked === 'taken') return { won: false };
        throw linked;
      }
      if (counts !== undefined && !(await counts())) {
        await this.#cleanUp(async () => {
          await unlessSystemError(this.#files.unlink(path), 'ENOENT');
          await this.#directory.temporary.remove(temporary);
        });
        return { won: false };
      }
      await this.#directories.sync(directory);
      // From here on the missing second name tells readers that this version is durable.
      await this.#cleanUp(() => this.#directory.temporary.remove(temporary));
      return { won: true, etag: header.id as ETag };
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const message = `writing ${header.key}: ${error.message}`;
      if (mayHaveEffect) throw new OutcomeUnknownError(message, { cause: error });
      throw new StoreUnavailableError(message, { cause: error });
    }
  }

  /** Writes a temporary file, and the directory that it is to be linked into, which need not wait for each other. */
  async #prepare(parts: readonly Uint8Array[], directory: string): Promise<string> {
    const [written, ensured] = await Promise.allSettled([
      this.#directory.temporary.write(parts),
      this.#directories.ensure(directory, this.#directory.objects),
    ]);
    if (written.status === 'rejected') throw written.reason;
    if (ensured.status === 'fulfilled') return written.value;
    await this.#cleanUp(() => this.#directory.temporary.remove(written.value));
    throw ensured.reason;
  }

  /** `taken` when the name exists; the error when the link was certainly not made. Rethrows any other error. */
  async #link(temporary: string, path: string): Promise<'linked' | 'taken' | Error> {
    try {
      await this.#files.link(temporary, path);
      return 'linked';
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return 'taken';
      if (isSystemError(error, ...linkRefused)) return error;
      throw error;
    }
  }

  /** The outcome is settled already; what cannot be removed now is removed by a later write or `open`. */
  async #cleanUp(remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#onCleanupError(error);
    }
  }
}
