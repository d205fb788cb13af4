/**
 * The directory of the local key service: one file for each key, `<id>.key`, readable by its owner only. Files are
 * replaced as a whole and fsynced, so a key is never half written and a state that was set stays set.
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { isSystemError, unlessSystemError, type FileLayer } from '../object-store/file-layer.js';
import {
  encodeKeyFile,
  isLocalKeyId,
  KeyFileError,
  materialBytes,
  maxKeyFileBytes,
  parseKeyFile,
  type KeyDescription,
  type LocalKey,
} from './key-file.js';
import type { KeyState } from './key-service.js';

const suffix = '.key';
const temporarySuffix = '.new';
const othersMode = 0o077;
/** Nobody takes that long to write a key. */
const abandonedAfterMs = 60 * 60 * 1000;

export class KeyDirectory {
  readonly #files: FileLayer;
  readonly #path: string;

  private constructor(files: FileLayer, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /**
   * Opens the directory, which is created (its parent must exist) when `create` is set. Throws `KeyFileError` when others
   * may enter it, or a system error.
   */
  static async open(files: FileLayer, directory: string, options: { create: boolean }): Promise<KeyDirectory> {
    const path = resolve(directory);
    if (options.create) {
      await unlessSystemError(files.makeDirectory(path), 'EEXIST');
      await unlessSystemError(files.syncDirectory(resolve(path, '..')), 'EACCES', 'EPERM');
    }
    refuseSharing(path, (await files.status(path)).mode, '0700');
    return new KeyDirectory(files, path);
  }

  /** The key, or undefined when there is none. The caller wipes its material. Throws `KeyFileError`, or a system error. */
  async read(id: string): Promise<LocalKey | undefined> {
    if (!isLocalKeyId(id)) return undefined;
    const path = this.#file(id);
    const file = await unlessSystemError(this.#files.openForReading(path), 'ENOENT');
    if (file === undefined) return undefined;
    try {
      const { mode, links } = await file.status();
      refuseSharing(path, mode, '0600');
      // Its maker has not confirmed yet that the key is durable: nothing may be wrapped by a key that could vanish.
      if (links > 1) await this.#files.syncDirectory(this.#path);
      const bytes = Buffer.alloc(maxKeyFileBytes);
      try {
        return parseKeyFile(bytes.subarray(0, await file.read(bytes, 0)), id);
      } finally {
        bytes.fill(0);
      }
    } finally {
      await file.close();
    }
  }

  /** Creates a key with fresh material unless it exists; of several processes that do so at once one succeeds. */
  async create(id: string, nowMs: number): Promise<void> {
    if (!isLocalKeyId(id)) throw new KeyFileError(`${JSON.stringify(id)} is not a local key id`);
    const material = randomBytes(materialBytes);
    const key: LocalKey = { id, state: 'enabled', createdAtMs: nowMs, material };
    await this.#publish(key, (temporary, path) => unlessSystemError(this.#files.link(temporary, path), 'EEXIST'));
  }

  /** Changes a key's state; durable when it resolves. Throws `KeyFileError` when there is no such key. */
  async setState(id: string, state: KeyState): Promise<void> {
    const key = await this.read(id);
    if (key === undefined) throw new KeyFileError(`there is no key ${JSON.stringify(id)}`);
    await this.#publish({ ...key, state }, (temporary, path) => this.#files.rename(temporary, path));
  }

  /** All keys, in the order of their ids. */
  async list(): Promise<KeyDescription[]> {
    const keys: KeyDescription[] = [];
    for (const name of (await this.#files.names(this.#path)).sort()) {
      if (!name.endsWith(suffix)) continue;
      const key = await this.read(name.slice(0, -suffix.length));
      if (key === undefined) continue;
      key.material.fill(0);
      keys.push({ id: key.id, state: key.state, createdAtMs: key.createdAtMs });
    }
    return keys;
  }

  #file(id: string): string {
    return `${this.#path}/${id}${suffix}`;
  }

  /** Removes key material that processes left behind when they died. */
  async removeAbandoned(nowMs: number): Promise<void> {
    for (const name of await this.#files.names(this.#path)) {
      if (!name.endsWith(temporarySuffix)) continue;
      const path = `${this.#path}/${name}`;
      const status = await unlessSystemError(this.#files.status(path), 'ENOENT');
      if (status === undefined || nowMs - status.modifiedAtMs < abandonedAfterMs) continue;
      if (status.links > 1) await this.#files.syncDirectory(this.#path);
      await unlessSystemError(this.#files.unlink(path), 'ENOENT');
    }
  }

  /**
   * Writes the key to a temporary file, lets `place` give it its name, and wipes the material. A temporary name that is
   * left over marks a key that may not be durable.
   */
  async #publish(key: LocalKey, place: (temporary: string, path: string) => Promise<void>): Promise<void> {
    const bytes = encodeKeyFile(key);
    const temporary = `${this.#path}/${key.id}.${randomBytes(8).toString('hex')}${temporarySuffix}`;
    try {
      const file = await this.#files.create(temporary);
      try {
        await file.append([bytes]);
        await file.sync();
      } finally {
        await file.close();
      }
      await place(temporary, this.#file(key.id));
      await this.#files.syncDirectory(this.#path);
      await unlessSystemError(this.#files.unlink(temporary), 'ENOENT');
    } finally {
      bytes.fill(0);
      key.material.fill(0);
    }
  }
}

function refuseSharing(path: string, mode: number, wanted: string): void {
  if ((mode & othersMode) !== 0) {
    throw new KeyFileError(`${path} is open to other users; run: chmod ${wanted} ${path}`);
  }
}

/** True for the errors that the functions of a key directory throw. */
export function isKeyDirectoryError(error: unknown): error is Error {
  return error instanceof KeyFileError || isSystemError(error);
}
