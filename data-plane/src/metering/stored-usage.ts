/** The batches of usage that lie in the store, of all nodes: for whoever adds them up, and removes them then. */
import { isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { deleteWithRetry, readWithRetry } from '../storage/conditional-write.js';
import { usageBatchName, usagePrefix } from '../storage/object-names.js';
import { storedUsageBatch, type UsageBatch } from './usage-batch.js';
import type { UsageLog } from './usage-log.js';

/** Batches in one page, and bytes after which it is full. */
export const maxPageBatches = 64;
const fullPageBytes = 2 ** 20;

export interface UsagePage {
  /** By epoch, those of one epoch in the order in which they were stored. */
  readonly batches: readonly UsageBatch[];
  /** Whether there are others after these. */
  readonly more: boolean;
}

/** What the admin interface asks of usage. */
export interface UsageReader {
  /** The first batches. Throws `STORE_UNAVAILABLE`. */
  page(): Promise<UsagePage>;
  /** Removes batches that were added up. Throws `STORE_UNAVAILABLE`. */
  remove(batches: readonly Pick<UsageBatch, 'epoch' | 'sequence'>[]): Promise<void>;
}

export interface StoredUsageOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  /** What this node has counted itself. */
  readonly own: Pick<UsageLog, 'store'>;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export class StoredUsage implements UsageReader {
  constructor(private readonly options: StoredUsageOptions) {}

  async page(): Promise<UsagePage> {
    const { runtime, store, own } = this.options;
    // Whoever asks one node sees at once what that one counted.
    await own.store();
    const listed = await readWithRetry(runtime, usagePrefix, () => store.list(usagePrefix, { limit: maxPageBatches }));
    const batches: UsageBatch[] = [];
    let bytes = 0;
    for (const [index, key] of listed.keys.entries()) {
      const object = await readWithRetry(runtime, key, () => store.get(key));
      // Another replica of the control plane was faster.
      if (!object) continue;
      const batch = this.#decoded(key, object.body);
      if (batch) batches.push(batch);
      bytes += object.body.length;
      if (bytes >= fullPageBytes) return { batches, more: index + 1 < listed.keys.length || listed.next !== undefined };
    }
    return { batches, more: listed.next !== undefined };
  }

  async remove(batches: readonly { readonly epoch: NodeEpoch; readonly sequence: number }[]): Promise<void> {
    const { runtime, store } = this.options;
    await Promise.all(
      batches.map(async ({ epoch, sequence }) => deleteWithRetry(runtime, store, usageBatchName(epoch, sequence))),
    );
  }

  /** Undefined for one that is damaged, which stays where it is, and holds up no other. */
  #decoded(key: string, body: Buffer): UsageBatch | undefined {
    try {
      const batch = storedUsageBatch.decode(key, body);
      if (usageBatchName(batch.epoch, batch.sequence) === key) return batch;
      this.options.report('a batch of usage is not its own', { key });
    } catch (error) {
      if (!isByocError(error, 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN')) throw error;
      this.options.report('a batch of usage is damaged', { key, error: String(error) });
    }
    return undefined;
  }
}
