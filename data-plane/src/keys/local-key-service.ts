import { randomBytes } from 'node:crypto';
import { nodeFileLayer, type FileLayer } from '../object-store/file-layer.js';
import { isKeyDirectoryError, KeyDirectory } from './key-directory.js';
import { isLocalKeyId, type KeyDescription, type LocalKey } from './key-file.js';
import {
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
  type KeyState,
  type KeyUse,
  type OnKeyUse,
  type WrappedByKey,
} from './key-service.js';
import { observedUse } from './observed-use.js';
import { dataKeyBytes, unwrapDataKey, wrapDataKey } from './wrapped-key.js';

const defaultKeyId = 'default';

export interface LocalKeyServiceOptions {
  /** @default the real file system */
  readonly files?: FileLayer;
  /** Milliseconds since 1970. @default Date.now */
  readonly nowMs?: () => number;
  /** Told of every use of a key. */
  readonly onUse?: OnKeyUse;
}

/**
 * The key service in a directory, for one machine. It reads a key's file on every use (uses at the same time share one read
 * that begins after all of them), so that a change of its state is felt by running nodes at once, as with KMS.
 */
export class LocalKeyService implements KeyService {
  readonly defaultKeyId = defaultKeyId;
  readonly #keys: KeyDirectory;
  /** Reads that have not begun, by key: everybody who asks for a key before its read begins shares it. */
  readonly #reads = new Map<string, SharedRead>();
  readonly #onUse: OnKeyUse | undefined;

  private constructor(keys: KeyDirectory, onUse: OnKeyUse | undefined) {
    this.#keys = keys;
    this.#onUse = onUse;
  }

  /**
   * Opens the keys in `directory`; creates it (its parent must exist) and the default key when they are not there. Throws
   * `KeyServiceUnavailableError`, also when other users may read the directory or the default key.
   */
  static async open(directory: string, options: LocalKeyServiceOptions = {}): Promise<LocalKeyService> {
    return translate(async () => {
      const keys = await KeyDirectory.open(options.files ?? nodeFileLayer, directory, { create: true });
      const nowMs = (options.nowMs ?? Date.now)();
      await keys.removeAbandoned(nowMs);
      const found = await keys.read(defaultKeyId);
      found?.material.fill(0);
      if (found === undefined) await keys.create(defaultKeyId, nowMs);
      return new LocalKeyService(keys, options.onUse);
    });
  }

  keyIdDefect(keyId: string): string | undefined {
    return isLocalKeyId(keyId) ? undefined : 'a local key has lower-case letters, digits and dashes, at most 64';
  }

  async generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#observed('generate', keyId, context, async () =>
      this.#use(keyId, ({ material }) => {
        const dataKey = randomBytes(dataKeyBytes);
        try {
          return { keyId, wrapped: wrapDataKey(material, keyId, context, dataKey) };
        } finally {
          dataKey.fill(0);
        }
      }),
    );
  }

  async wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#observed('wrap', keyId, context, async () =>
      this.#use(keyId, ({ material }) => ({ keyId, wrapped: wrapDataKey(material, keyId, context, dataKey) })),
    );
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    return this.#observed('unwrap', keyId, context, async () => this.#unwrap(keyId, wrapped, context));
  }

  async probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void> {
    await this.#observed('probe', keyId, context, async () => {
      (await this.#unwrap(keyId, wrapped, context)).fill(0);
    });
  }

  async rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<WrappedByKey> {
    return this.#observed('rewrap', to.keyId, to.context, async () => {
      const dataKey = await this.#unwrap(from.keyId, from.wrapped, from.context);
      try {
        return await this.#use(to.keyId, ({ material }) => ({
          keyId: to.keyId,
          wrapped: wrapDataKey(material, to.keyId, to.context, dataKey),
        }));
      } finally {
        dataKey.fill(0);
      }
    });
  }

  async #unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    return this.#use(keyId, ({ material }) => unwrapDataKey(material, keyId, context, wrapped));
  }

  async #observed<T>(
    operation: KeyUse['operation'],
    keyId: string,
    { database }: EncryptionContext,
    run: () => Promise<T>,
  ): Promise<T> {
    return observedUse(this.#onUse, { operation, keyId, database }, run);
  }

  async #use<T>(keyId: string, operation: (key: LocalKey) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      // Runs to its end at once: the key is overwritten as soon as everybody has used it.
      const used = async (key: LocalKey | undefined): Promise<T> => {
        if (key === undefined) throw new KeyRefusedError(`there is no key ${JSON.stringify(keyId)}`, 'unknown');
        if (key.state !== 'enabled') throw new KeyRefusedError(`key ${keyId} is ${key.state}`, key.state);
        return operation(key);
      };
      const use = (key: LocalKey | undefined): void => resolve(used(key));
      const read = this.#reads.get(keyId) ?? { isUnderWay: false, waiting: [] };
      this.#reads.set(keyId, read);
      read.waiting.push({ use, reject });
      if (!read.isUnderWay) void this.#read(keyId, read);
    });
  }

  /** Reads the key for all who wait for it, and once more for those who have come meanwhile. Never rejects. */
  async #read(keyId: string, read: SharedRead): Promise<void> {
    read.isUnderWay = true;
    while (read.waiting.length > 0) {
      const users = read.waiting.splice(0);
      try {
        const key = await translate(() => this.#keys.read(keyId));
        try {
          for (const { use } of users) use(key);
        } finally {
          key?.material.fill(0);
        }
      } catch (error) {
        for (const { reject } of users) reject(error);
      }
    }
    this.#reads.delete(keyId);
  }
}

interface SharedRead {
  isUnderWay: boolean;
  readonly waiting: {
    /** Never throws. */
    readonly use: (key: LocalKey | undefined) => void;
    readonly reject: (reason: unknown) => void;
  }[];
}

/**
 * Sets the state of a key in `directory`; a running node sees it on its next use of the key. Enabling a key that is
 * scheduled for deletion cancels the deletion. Nothing deletes the file: removing it is left to the operator, because it
 * cannot be undone. Throws `KeyFileError` (no such key, damaged or shared file), or a system error.
 */
export async function setKeyState(directory: string, id: string, state: KeyState): Promise<void> {
  await (await KeyDirectory.open(nodeFileLayer, directory, { create: false })).setState(id, state);
}

/** Creates a key unless it exists. Throws like `setKeyState`. */
export async function createKey(directory: string, id: string, nowMs: number): Promise<void> {
  await (await KeyDirectory.open(nodeFileLayer, directory, { create: false })).create(id, nowMs);
}

/** The keys in `directory`, without their material. Throws like `setKeyState`. */
export async function listKeys(directory: string): Promise<KeyDescription[]> {
  return (await KeyDirectory.open(nodeFileLayer, directory, { create: false })).list();
}

async function translate<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!isKeyDirectoryError(error)) throw error;
    throw new KeyServiceUnavailableError(error.message, { cause: error });
  }
}
