import { ByocError, isByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry, type ResolvedWrite } from './conditional-write.js';
import { FormatLevel } from './format-level.js';
import { listKeys } from './list-keys.js';
import { storedManifest, type Manifest } from './manifest.js';
import { manifestName, manifestOwner, manifestPrefix } from './object-names.js';

/** A manifest as it stands in the store, with the version that the next change must name. */
export interface VersionedManifest {
  readonly manifest: Manifest;
  readonly etag: ETag;
}

/** How long a manifest counts as just read, and how many are kept for that. */
const justReadMs = 1_000;
const maxJustRead = 1_000;

/**
 * Reads and changes manifests. A change is won or lost; after `STORE_UNAVAILABLE` it may have been either, or come later: the
 * next change starts from what `read` returns, and whoever goes on without one asks `mayStillChange`.
 */
export class ManifestStore {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;
  readonly #formats: FormatLevel;
  /** Oldest first. */
  readonly #justRead = new Map<DatabaseId, { readonly found: VersionedManifest; readonly readAtMs: number }>();

  /** The versions that changes of unknown outcome began from. */
  readonly #undecided = new Map<DatabaseId, Set<ETag>>();

  /** `formats`: what may be written; the oldest versions by default. */
  constructor(runtime: Runtime, store: ObjectStore, formats = new FormatLevel()) {
    this.#runtime = runtime;
    this.#store = store;
    this.#formats = formats;
  }

  /** The manifest, also of a deleted database; undefined when the database never existed. */
  async read(id: DatabaseId): Promise<VersionedManifest | undefined> {
    const key = manifestName(id);
    const object = await readWithRetry(this.#runtime, key, () => this.#store.get(key));
    return object && { manifest: this.#decode(id, object.body), etag: object.etag };
  }

  /** The same, for somebody who is likely to ask for it once more at once; see `readAgain`. */
  async readFirst(id: DatabaseId): Promise<VersionedManifest | undefined> {
    const found = await this.read(id);
    if (!found) return undefined;
    if (this.#justRead.size >= maxJustRead) {
      const [oldest] = this.#justRead.keys();
      if (oldest !== undefined) this.#justRead.delete(oldest);
    }
    this.#justRead.set(id, { found, readAtMs: this.#runtime.monotonicMs() });
    return found;
  }

  /**
   * What `readFirst` read a moment ago, once, or what stands there now. Only for those who believe nothing of it before a
   * conditional write has proved it.
   */
  async readAgain(id: DatabaseId): Promise<VersionedManifest | undefined> {
    const justRead = this.#justRead.get(id);
    this.#justRead.delete(id);
    if (justRead && this.#runtime.monotonicMs() - justRead.readAtMs <= justReadMs) return justRead.found;
    return this.read(id);
  }

  /**
   * Every database that there is or was, in an order that means nothing but is always the same; only those after `after`, if
   * it is given. Throws `STORE_UNAVAILABLE`.
   */
  async *list(after?: DatabaseId): AsyncGenerator<DatabaseId> {
    const begin = after === undefined ? undefined : manifestName(after);
    for await (const key of listKeys(this.#runtime, this.#store, manifestPrefix, begin)) yield manifestOwner(key);
  }

  /** Stores the first manifest of a database; false when one is there already. */
  async create(manifest: Manifest): Promise<boolean> {
    const result = await conditionalWrite(
      this.#runtime,
      this.#store,
      manifestName(manifest.id),
      storedManifest.encode(manifest, this.#formats.current),
      {
        ifAbsent: true,
      },
    );
    return result.won;
  }

  /**
   * Replaces the manifest that `base` names by `next`; its version is set here. Returns the stored one, or `lost` with
   * what stands there instead.
   */
  async replace(
    base: VersionedManifest,
    next: Omit<Manifest, 'version'>,
  ): Promise<VersionedManifest | { lost: Manifest }> {
    const manifest = { ...next, version: base.manifest.version + 1 };
    const key = manifestName(manifest.id);
    const body = storedManifest.encode(manifest, this.#formats.current);
    const result = await this.#decided(manifest.id, base.etag, async () =>
      conditionalWrite(this.#runtime, this.#store, key, body, { ifMatch: base.etag }),
    );
    if (result.won) return { manifest, etag: result.etag };
    if (!result.current) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} was deleted`);
    return { lost: this.#decode(manifest.id, result.current.body) };
  }

  /**
   * Whether a change of this version that was given up here may still take effect: a request on its way is not called back, and
   * its condition holds for as long as this version stands. Any other change of it settles that.
   */
  mayStillChange({ manifest, etag }: VersionedManifest): boolean {
    return this.#undecided.get(manifest.id)?.has(etag) ?? false;
  }

  /** Notes that the outcome of a change of `base` is unknown, or that those of all changes but of what stands there are known. */
  async #decided(id: DatabaseId, base: ETag, write: () => Promise<ResolvedWrite>): Promise<ResolvedWrite> {
    try {
      const result = await write();
      const present = result.won ? undefined : result.current?.etag;
      if (present === undefined || !this.#undecided.get(id)?.has(present)) this.#undecided.delete(id);
      else this.#undecided.set(id, new Set([present]));
      return result;
    } catch (error) {
      if (isByocError(error) && error.code === 'STORE_UNAVAILABLE') {
        this.#undecided.set(id, new Set([...(this.#undecided.get(id) ?? []), base]));
      }
      throw error;
    }
  }

  #decode(id: DatabaseId, body: Buffer): Manifest {
    const key = manifestName(id);
    const manifest = storedManifest.decode(key, body, this.#formats);
    if (manifest.id !== id) {
      throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the manifest of another database, ${manifest.id}`);
    }
    return manifest;
  }
}
