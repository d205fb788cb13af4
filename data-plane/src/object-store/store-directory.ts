import { dirname, resolve } from 'node:path';
import { ByocError } from '../errors/catalogue.js';
import type { DurableDirectories } from './durable-directories.js';
import { isSystemError, unlessSystemError, type FileLayer } from './file-layer.js';
import { decodeHeader, maxHeaderBytes } from './object-file.js';
import { objectPath } from './object-path.js';
import { StoreUnavailableError } from './object-store.js';
import type { ProcessLiveness } from './process-liveness.js';
import { removeAbandoned, TemporaryFiles } from './temporary-files.js';

const format = 'turso-byoc/local-object-store/1\n';

/** The directory of a local store: `FORMAT` says what it is, `objects` holds the objects, `tmp` what is being written. */
export interface StoreDirectory {
  readonly objects: string;
  readonly temporary: TemporaryFiles;
  /**
   * Throws `StoreUnavailableError` when the directory is no longer there. Asked before an object is reported absent: a
   * volume that was unmounted must not look like an empty store.
   */
  assertPresent(): Promise<void>;
}

interface OpenOptions {
  readonly directory: string;
  readonly files: FileLayer;
  readonly directories: DurableDirectories;
  readonly liveness: ProcessLiveness;
  /** 16 hex digits. */
  readonly unique: string;
  readonly nowMs: number;
  readonly onCleanupError: (error: unknown) => void;
}

/** Opens or creates a store's directory. Throws `STORE_FORMAT_UNKNOWN`, or a system error. */
export async function openStoreDirectory(options: OpenOptions): Promise<StoreDirectory> {
  const { files, directories, liveness } = options;
  const root = resolve(options.directory);
  await ensureRoot(files, root);
  const objects = `${root}/objects`;
  const temporaryRoot = `${root}/tmp`;
  const marker = `${root}/FORMAT`;
  await directories.ensure(temporaryRoot, root);
  await directories.ensure(objects, root);
  const temporary = new TemporaryFiles(files, temporaryRoot, liveness, options.unique);
  await ensureFormat(files, marker, temporary);
  await directories.sync(root);
  try {
    await removeAbandoned(files, temporaryRoot, liveness, options.nowMs, (path) =>
      makeDurable(files, directories, objects, path),
    );
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof ByocError)) throw error;
    options.onCleanupError(error);
  }
  return {
    objects,
    temporary,
    assertPresent: async () => {
      if ((await unlessSystemError(files.status(marker), 'ENOENT')) === undefined) {
        throw new StoreUnavailableError(`the object store's directory ${root} is gone`);
      }
    },
  };
}

/** Creates the directory with its parents and makes their entries durable. */
async function ensureRoot(files: FileLayer, root: string): Promise<void> {
  const parent = dirname(root);
  try {
    await files.makeDirectory(root);
  } catch (error) {
    if (isSystemError(error, 'ENOENT') && parent !== root) {
      await ensureRoot(files, parent);
      return ensureRoot(files, root);
    }
    // Made long ago, or by a process that has not come to its fsync; the parent need not be ours to read.
    if (!isSystemError(error, 'EEXIST')) throw error;
    await unlessSystemError(files.syncDirectory(parent), 'EACCES', 'EPERM');
    return;
  }
  await files.syncDirectory(parent);
}

async function ensureFormat(files: FileLayer, marker: string, temporary: TemporaryFiles): Promise<void> {
  if ((await unlessSystemError(files.status(marker), 'ENOENT')) === undefined) {
    const path = await temporary.write([Buffer.from(format)]);
    await unlessSystemError(files.link(path, marker), 'EEXIST');
    await temporary.remove(path);
  }
  const file = await files.openForReading(marker);
  try {
    const content = Buffer.alloc(256);
    const found = content.toString('utf8', 0, await file.read(content, 0));
    if (found !== format) {
      throw new ByocError('STORE_FORMAT_UNKNOWN', `the object store says that its format is ${JSON.stringify(found)}`);
    }
  } finally {
    await file.close();
  }
}

/** Makes the object durable that a process linked from the temporary file at `path` before it died. */
async function makeDurable(
  files: FileLayer,
  directories: DurableDirectories,
  objects: string,
  path: string,
): Promise<void> {
  const file = await unlessSystemError(files.openForReading(path), 'ENOENT');
  if (file === undefined) return;
  try {
    const start = Buffer.alloc(maxHeaderBytes);
    const bytes = start.subarray(0, await file.read(start, 0));
    if (bytes.equals(Buffer.from(format))) {
      await directories.sync(dirname(objects));
      return;
    }
    const at = objectPath(decodeHeader(bytes).key);
    for (const name of [dirname(at.object), at.versions]) {
      await unlessSystemError(directories.sync(name === '.' ? objects : `${objects}/${name}`), 'ENOENT');
    }
  } finally {
    await file.close();
  }
}
