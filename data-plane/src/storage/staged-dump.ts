/**
 * The text of a dump that a database is to begin as, from its upload until the database is created: chunks, each sealed under a key
 * that only whoever uploaded it has, in the address of the dump. What nobody asks for is removed after a day.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, deleteWithRetry, readWithRetry } from './conditional-write.js';
import { stagedDumpChunkName, stagedDumpPrefix } from './object-names.js';

/** Most bytes of a chunk; only the last one is shorter. */
export const dumpChunkBytes = 4 * 2 ** 20;
/** 2 GB, as official clients know it. */
export const maxDumpChunks = 512;
/** Milliseconds since 1970, by which its age is known, and something random. */
export const dumpIdPattern = '^[0-9]{13}-[0-9a-f]{32}$';
export const dumpKeyBytes = 32;
const keptMs = 86_400_000;

interface DumpStores {
  readonly runtime: Runtime;
  readonly deployment: string;
  readonly dataStore: ObjectStore;
}

export class StagedDump {
  readonly #sealer: Sealer;

  /** The key belongs to the caller. */
  constructor(
    private readonly stores: DumpStores,
    private readonly id: string,
    key: Buffer,
  ) {
    // Nothing else of a deployment is sealed for the name of a dump.
    const ring = { current: 1, keys: new Map([[1, key]]) };
    this.#sealer = new Sealer(stores.runtime, stores.deployment, id as DatabaseId, ring);
  }

  /** Stores a chunk; the same one again changes nothing. Throws `STORE_UNAVAILABLE`. */
  async write(chunk: number, content: Buffer): Promise<void> {
    const { runtime, dataStore } = this.stores;
    const sealed = this.#sealer.seal(position(chunk), content);
    await conditionalWrite(runtime, dataStore, stagedDumpChunkName(this.id, chunk), sealed, { ifAbsent: true });
  }

  /** Throws `DUMP_NOT_FOUND` when there is no such chunk, or another key was used; `STORE_UNAVAILABLE`. */
  async read(chunk: number): Promise<Buffer> {
    const { runtime, dataStore } = this.stores;
    const name = stagedDumpChunkName(this.id, chunk);
    const object = await readWithRetry(runtime, name, () => dataStore.get(name));
    if (!object) throw notFound();
    try {
      return this.#sealer.open(position(chunk), object.body);
    } catch (cause) {
      throw notFound(cause);
    }
  }

  /** Removes it. Throws `STORE_UNAVAILABLE`. */
  async remove(chunks: number): Promise<void> {
    const { runtime, dataStore } = this.stores;
    for (let chunk = 0; chunk < chunks; chunk++) {
      await deleteWithRetry(runtime, dataStore, stagedDumpChunkName(this.id, chunk));
    }
  }

  wipe(): void {
    this.#sealer.wipe();
  }
}

/** Removes a dump that no database will begin as, whatever there is of it. Throws `STORE_UNAVAILABLE`. */
export async function removeDump({ runtime, dataStore }: Omit<DumpStores, 'deployment'>, id: string): Promise<void> {
  const prefix = `${stagedDumpPrefix}${id}/`;
  for (;;) {
    const { keys } = await readWithRetry(runtime, prefix, () => dataStore.list(prefix, { limit: 100 }));
    for (const key of keys) await deleteWithRetry(runtime, dataStore, key);
    if (keys.length < 100) return;
  }
}

/** Removes what was uploaded more than a day ago. Throws `STORE_UNAVAILABLE`. */
export async function removeOldDumps({ runtime, dataStore }: Omit<DumpStores, 'deployment'>): Promise<void> {
  for (;;) {
    const { keys } = await readWithRetry(runtime, stagedDumpPrefix, () =>
      dataStore.list(stagedDumpPrefix, { limit: 100 }),
    );
    // Names begin with the time: the oldest are the first.
    const old = keys.filter(
      (key) => Number(key.slice(stagedDumpPrefix.length).slice(0, 13)) < runtime.nowMs() - keptMs,
    );
    for (const key of old) await deleteWithRetry(runtime, dataStore, key);
    if (old.length < 100) return;
  }
}

function position(chunk: number) {
  return { kind: 'segment', term: 0, numbers: [0, chunk] } as const;
}

function notFound(cause?: unknown): ByocError {
  return new ByocError('DUMP_NOT_FOUND', 'there is no such dump; it may have expired', { cause });
}
