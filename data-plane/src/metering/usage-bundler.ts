/**
 * Keeps what nobody collects from becoming ever more objects: batches that a node stored, and that are all there still when it
 * has stored as many again, become one object.
 *
 * Only the node of the epoch does that. Invariant: a bundle is there before the first of its batches is removed, and holds
 * them as they are. Whoever is killed in between leaves batches twice, which count once.
 */
import { isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { deleteWithRetry, readWithRetry, writeOnce } from '../storage/conditional-write.js';
import { usageBatchName, usageBundleName, usagePrefixOf } from '../storage/object-names.js';
import { storedUsageBatch, type UsageBatch } from './usage-batch.js';
import { batchesInBundle, storedUsageBundle } from './usage-bundle.js';

/** After how many batches a node looks how many of its own are left; one listing each time. */
export const lookAfterBatches = 16;
/** Batches that are larger together stay by themselves: few of them fill a page. */
const largestBundleBytes = 2 ** 20;

export interface UsageBundlerOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly epoch: NodeEpoch;
}

export class UsageBundler {
  readonly #options: UsageBundlerOptions;
  #uncollected = 0;
  /** Number of the first batch that may still have to be bundled. */
  #next = 1;

  constructor(options: UsageBundlerOptions) {
    this.#options = options;
  }

  /** Batches of this node that nobody had collected when it looked last. */
  get uncollected(): number {
    return this.#uncollected;
  }

  /** Called when the batch of this number has been stored. Throws `STORE_UNAVAILABLE`; what was not done is done later. */
  async stored(sequence: number): Promise<void> {
    if (sequence % lookAfterBatches !== 0) return;
    this.#uncollected = sequence - (await this.#firstLeft(sequence)) + 1;
    for (; this.#next + 2 * batchesInBundle - 1 <= sequence; this.#next += batchesInBundle) {
      await this.#bundle(this.#next);
    }
  }

  /** Number of the first batch that lies in the store; one above `sequence` when none does. */
  async #firstLeft(sequence: number): Promise<number> {
    const { runtime, store, epoch } = this.#options;
    const prefix = usagePrefixOf(epoch);
    const { keys } = await readWithRetry(runtime, prefix, () => store.list(prefix, { limit: 1 }));
    const [key] = keys;
    return key === undefined ? sequence + 1 : Number.parseInt(key.slice(prefix.length), 10);
  }

  async #bundle(first: number): Promise<void> {
    const { runtime, store, epoch } = this.#options;
    const names = Array.from({ length: batchesInBundle }, (_, place) => usageBatchName(epoch, first + place));
    const after = usageBatchName(epoch, first - 1);
    const listed = await readWithRetry(runtime, after, () =>
      store.list(usagePrefixOf(epoch), { after, limit: batchesInBundle }),
    );
    // Somebody collects them, or there is something else among them.
    if (names.some((name, place) => listed.keys[place] !== name)) return;
    const batches: UsageBatch[] = [];
    for (const name of names) {
      const batch = await this.#read(name);
      if (!batch) return;
      batches.push(batch);
    }
    const bytes = storedUsageBundle.encode({ batches });
    if (bytes.length > largestBundleBytes) return;
    await writeOnce(runtime, store, usageBundleName(epoch, first, first + batchesInBundle - 1), bytes);
    await Promise.all(names.map(async (name) => deleteWithRetry(runtime, store, name)));
  }

  /** Undefined for one that is gone, or that whoever hands it on has to look at. */
  async #read(name: string): Promise<UsageBatch | undefined> {
    const { runtime, store } = this.#options;
    const object = await readWithRetry(runtime, name, () => store.get(name));
    if (!object) return undefined;
    try {
      return storedUsageBatch.decode(name, object.body);
    } catch (error) {
      if (isByocError(error, 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN')) return undefined;
      throw error;
    }
  }
}
