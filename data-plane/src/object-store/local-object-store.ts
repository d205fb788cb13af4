/**
 * The object store in a directory, for one machine. Any number of processes may use the directory at the same time.
 *
 * There are no locks, so none can get stuck. Whatever decides a race is one `link(2)` of a complete, fsynced file to a
 * name that only one of the racers can get:
 *
 * - Creating a key links the first version to `<key>,o`. That file is the object's anchor: the object exists as long as
 *   the anchor does, and deleting is unlinking it. An object that is never replaced consists of nothing else.
 * - Replacing version N links version N + 1 to `<key>,v/<anchor id>.<N + 1>`. The highest such version is the current one;
 *   lower ones are removed once a higher one is durable, and the anchor then loses its body but not its header.
 *
 * Why this is exact:
 *
 * - A reader lists the versions first and opens the anchor second. If the anchor it finds has versions in the list, the
 *   highest was current when the list was read. If it has none, the anchor's own body was current at that moment or, when
 *   the anchor came later, when it was created.
 * - A writer that stalls between reading and linking may get a name that was used and cleaned up meanwhile. Therefore it
 *   looks again after linking: it counts only if it is the highest, or an ancestor of the highest. Otherwise nobody can
 *   have seen it, because readers take the highest.
 * - Nobody learns of a version that could still vanish: a file keeps its temporary name until it is durable, and a reader
 *   that meets a file with two names makes it durable before it answers.
 *
 * ETags identify a version, not a content: writing the same bytes again gives another ETag.
 */
import { randomBytes } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import { DurableDirectories } from './durable-directories.js';
import { isSystemError, nodeFileLayer, unlessSystemError, type FileLayer } from './file-layer.js';
import { listKeys } from './local-listing.js';
import { headerBytes, maxAncestors, type ObjectHeader } from './object-file.js';
import {
  assertObjectKey,
  OutcomeUnknownError,
  StoreUnavailableError,
  type ETag,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from './object-store.js';
import { objectPath } from './object-path.js';
import { highestVersion, listSlots, OpenVersion, readVersion, slotName, type Slot } from './object-version.js';
import { openStoreDirectory, type StoreDirectory } from './store-directory.js';
import { currentProcessLiveness, type ProcessLiveness } from './process-liveness.js';
import { Publisher } from './publisher.js';

export interface LocalObjectStoreOptions {
  /** @default the real file system */
  readonly files?: FileLayer;
  /** @default cryptographic randomness */
  readonly random?: (bytes: number) => Buffer;
  /** Milliseconds since 1970; only decides when files of unknown processes count as abandoned. @default Date.now */
  readonly nowMs?: () => number;
  /** @default this process */
  readonly liveness?: ProcessLiveness;
  /** Told of superseded or temporary files that could not be removed; a later write or `open` tries again. @default a process warning */
  readonly onCleanupError?: (error: unknown) => void;
}

const maxPageKeys = 1000;
const readAheadBytes = 64 * 1024;
/** Each retry of a read means that a writer got ahead of it. */
const maxReadAttempts = 1000;

export class LocalObjectStore implements ObjectStore {
  readonly #files: FileLayer;
  readonly #directory: StoreDirectory;
  readonly #directories: DurableDirectories;
  readonly #publisher: Publisher;
  readonly #random: (bytes: number) => Buffer;
  readonly #onCleanupError: (error: unknown) => void;

  private constructor(
    files: FileLayer,
    directory: StoreDirectory,
    directories: DurableDirectories,
    random: (bytes: number) => Buffer,
    onCleanupError: (error: unknown) => void,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#directories = directories;
    this.#random = random;
    this.#onCleanupError = onCleanupError;
    this.#publisher = new Publisher(files, directory, directories, onCleanupError);
  }

  /**
   * Opens the store in `directory`, which is created when it is not there, and removes what dead processes left half
   * written. Throws `STORE_FORMAT_UNKNOWN` when another release made the store, `StoreUnavailableError` otherwise.
   */
  static async open(directory: string, options: LocalObjectStoreOptions = {}): Promise<LocalObjectStore> {
    const files = options.files ?? nodeFileLayer;
    const random = options.random ?? randomBytes;
    const onCleanupError =
      options.onCleanupError ?? ((error) => process.emitWarning(error instanceof Error ? error : String(error)));
    const directories = new DurableDirectories(files);
    const opened = await translate(`open ${directory}`, async () =>
      openStoreDirectory({
        directory,
        files,
        directories,
        liveness: options.liveness ?? (await currentProcessLiveness()),
        unique: random(8).toString('hex'),
        nowMs: (options.nowMs ?? Date.now)(),
        onCleanupError,
      }),
    );
    return new LocalObjectStore(files, opened, directories, random, onCleanupError);
  }

  /** Removes this store's temporary directory. The store must not be used after it. */
  async close(): Promise<void> {
    await this.#directory.temporary.close();
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#readCurrent(key, async (version) => {
      const body = await version.read(0, version.header.bodyBytes);
      return body && { body, etag: version.header.id as ETag };
    });
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(length) || start < 0 || length < 0) {
      throw new RangeError(`invalid range: ${length} bytes from ${start}`);
    }
    return this.#readCurrent(key, (version) => version.read(start, length));
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    assertObjectKey(key);
    return 'ifAbsent' in condition ? this.#create(key, body) : this.#replace(key, body, condition.ifMatch);
  }

  /**
   * Throws `OutcomeUnknownError` when the object may or may not be gone; deleting again is safe, and removes the bytes of
   * later versions that a deletion cut short left behind.
   */
  async delete(key: string): Promise<void> {
    assertObjectKey(key);
    const at = this.#at(key);
    try {
      await unlessSystemError(this.#files.unlink(at.object), 'ENOENT');
      // Before any version goes: an anchor that came back after a loss of power would otherwise show an old one.
      const hadParent = await this.#syncIfThere(at.directory);
      if (!hadParent) {
        await this.#directory.assertPresent();
        return;
      }
      const slots = await listSlots(this.#files, at.versions);
      if (slots.length === 0) return;
      const anchor = await readVersion(this.#files, at.object, key);
      await this.#removeSlots(at.versions, slots, (slot) => slot.anchor !== anchor?.header.id);
      await this.#syncIfThere(at.versions);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new OutcomeUnknownError(`deleting ${key}: ${error.message}`, { cause: error });
    }
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const limit = options.limit ?? maxPageKeys;
    if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`invalid page limit ${limit}`);
    const pageKeys = Math.min(limit, maxPageKeys);
    return translate(`list ${prefix}`, async () => {
      const range = { prefix, after: options.after ?? '', limit: pageKeys + 1 };
      const keys: string[] = [];
      const sync = (directory: string): Promise<void> => this.#directories.sync(directory);
      for await (const key of listKeys(this.#files, this.#directory.objects, range, sync)) {
        keys.push(key);
        if (keys.length > pageKeys) break;
      }
      if (keys.length === 0) await this.#directory.assertPresent();
      const page = keys.slice(0, pageKeys);
      const next = page.at(-1);
      return keys.length > pageKeys && next !== undefined ? { keys: page, next } : { keys: page };
    });
  }

  #at(key: string): { directory: string; object: string; versions: string } {
    const path = objectPath(key);
    const { objects } = this.#directory;
    return {
      directory: path.directory === '' ? objects : `${objects}/${path.directory}`,
      object: `${objects}/${path.object}`,
      versions: `${objects}/${path.versions}`,
    };
  }

  #newId(): string {
    return this.#random(16).toString('hex');
  }

  /** Applies `use` to the current version; undefined from `use` means that a writer got ahead and it must read again. */
  async #readCurrent<T>(key: string, use: (version: OpenVersion) => Promise<T | undefined>): Promise<T | undefined> {
    assertObjectKey(key);
    return translate(`read ${key}`, async () => {
      const at = this.#at(key);
      let bodiless: string | undefined;
      for (let attempt = 0; attempt < maxReadAttempts; attempt++) {
        const slots = await listSlots(this.#files, at.versions);
        const anchor = await OpenVersion.open(this.#files, at.object, key, readAheadBytes);
        if (anchor === undefined) {
          await this.#directory.assertPresent();
          return undefined;
        }
        const { id } = anchor.header;
        const highest = highestVersion(slots, id);
        if (highest === undefined) {
          // Versions are listed before the anchor is opened, and it loses its body only after a version is there: seen
          // twice without either, it was cut off.
          if (!anchor.hasBody && bodiless === id) {
            await anchor.close();
            throw new ByocError(
              'STORE_OBJECT_CORRUPT',
              `the file of object ${key} is cut off, or its versions are gone`,
            );
          }
          if (!anchor.hasBody) bodiless = id;
          const result = await this.#readAndClose(anchor, at.directory, use);
          if (result !== undefined) return result;
          continue;
        }
        await anchor.close();
        const path = `${at.versions}/${slotName(id, highest)}`;
        const version = await OpenVersion.open(this.#files, path, key, readAheadBytes);
        if (version !== undefined && !version.hasBody) {
          await version.close();
          throw new ByocError('STORE_OBJECT_CORRUPT', `version ${highest} of object ${key} is cut off`);
        }
        const result = version && (await this.#readAndClose(version, at.versions, use));
        if (result !== undefined) return result;
      }
      throw new StoreUnavailableError(`object ${key} has no complete version`);
    });
  }

  async #readAndClose<T>(
    version: OpenVersion,
    directory: string,
    use: (version: OpenVersion) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    try {
      const result = await use(version);
      if (result !== undefined && version.links > 1) await this.#directories.sync(directory);
      return result;
    } finally {
      await version.close();
    }
  }

  async #create(key: string, body: Uint8Array): Promise<WriteResult> {
    const header = { key, id: this.#newId(), version: 1, ancestors: [], bodyBytes: body.byteLength };
    return this.#publisher.publish(header, body, this.#at(key).object);
  }

  async #replace(key: string, body: Uint8Array, etag: ETag): Promise<WriteResult> {
    const at = this.#at(key);
    const found = await translate(`write ${key}`, () => this.#current(key, at));
    if (found?.current.id !== etag) return { won: false };
    const { anchor, current, slots } = found;
    const header = {
      key,
      id: this.#newId(),
      version: current.version + 1,
      ancestors: [current.id, ...current.ancestors].slice(0, maxAncestors),
      bodyBytes: body.byteLength,
    };
    const path = `${at.versions}/${slotName(anchor.header.id, header.version)}`;
    const result = await this.#publisher.publish(header, body, path, () =>
      this.#counts(header, at.versions, at.object, anchor.header.id),
    );
    if (result.won) await this.#removeSuperseded(at, anchor, slots, header.version);
    return result;
  }

  /** The current version's header, with the anchor and the slots it was found by; undefined when there is no object. */
  async #current(
    key: string,
    at: { object: string; versions: string },
  ): Promise<{ anchor: { header: ObjectHeader; hasBody: boolean }; current: ObjectHeader; slots: Slot[] } | undefined> {
    for (let attempt = 0; attempt < maxReadAttempts; attempt++) {
      const slots = await listSlots(this.#files, at.versions);
      const anchor = await readVersion(this.#files, at.object, key);
      if (anchor === undefined) {
        await this.#directory.assertPresent();
        return undefined;
      }
      const highest = highestVersion(slots, anchor.header.id);
      if (highest === undefined) {
        if (anchor.hasBody) return { anchor, current: anchor.header, slots };
        continue;
      }
      const version = await readVersion(this.#files, `${at.versions}/${slotName(anchor.header.id, highest)}`, key);
      if (version !== undefined) return { anchor, current: version.header, slots };
    }
    throw new StoreUnavailableError(`object ${key} has no complete version`);
  }

  /** Whether a version that was just linked is part of the object's history. Throws `OutcomeUnknownError` when nobody can tell any more. */
  async #counts(written: ObjectHeader, versions: string, object: string, anchorId: string): Promise<boolean> {
    for (let attempt = 0; attempt < maxReadAttempts; attempt++) {
      const slots = await listSlots(this.#files, versions);
      const anchor = await readVersion(this.#files, object, written.key);
      const highest = highestVersion(slots, anchorId);
      if (anchor?.header.id !== anchorId || highest === undefined) break;
      if (highest <= written.version) return highest === written.version;
      const current = await readVersion(this.#files, `${versions}/${slotName(anchorId, highest)}`, written.key);
      if (current === undefined) continue;
      const ancestor = current.header.ancestors[highest - written.version - 1];
      if (ancestor !== undefined) return ancestor === written.id;
      break;
    }
    throw new OutcomeUnknownError(`object ${written.key} was deleted or replaced many times while it was written`);
  }

  async #removeSuperseded(
    at: { object: string; versions: string },
    anchor: { header: ObjectHeader; hasBody: boolean },
    slots: readonly Slot[],
    version: number,
  ): Promise<void> {
    try {
      // Slots of another anchor were listed before this anchor was read, so their object is gone for ever.
      await this.#removeSlots(at.versions, slots, (slot) => slot.anchor !== anchor.header.id || slot.version < version);
      if (anchor.hasBody && anchor.header.bodyBytes > 0) await this.#dropBody(at.object, anchor.header);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#onCleanupError(error);
    }
  }

  async #removeSlots(versions: string, slots: readonly Slot[], isGarbage: (slot: Slot) => boolean): Promise<void> {
    for (const slot of slots) {
      if (isGarbage(slot)) await unlessSystemError(this.#files.unlink(`${versions}/${slot.name}`), 'ENOENT');
    }
  }

  /** Cuts a superseded first version down to its header, by the open file, so that a new object of that name is safe. */
  async #dropBody(path: string, expected: ObjectHeader): Promise<void> {
    const file = await unlessSystemError(this.#files.openForWriting(path), 'ENOENT');
    if (file === undefined) return;
    try {
      const id = Buffer.alloc(16);
      await file.read(id, 16);
      if (id.toString('hex') === expected.id) await file.truncate(headerBytes(expected));
    } finally {
      await file.close();
    }
  }

  async #syncIfThere(directory: string): Promise<boolean> {
    const sync = this.#directories.sync(directory).then(() => true);
    return (await unlessSystemError(sync, 'ENOENT')) ?? false;
  }
}

/** Runs an operation that changes nothing; a system error becomes `StoreUnavailableError`. */
async function translate<T>(what: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new StoreUnavailableError(`cannot ${what}: ${error.message}`, { cause: error });
  }
}
