/** The batches of usage that lie in the store, of all nodes: for whoever adds them up, and removes them then. */
import { createHash } from 'node:crypto';
import { isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { deleteWithRetry, readWithRetry, writeOnce } from '../storage/conditional-write.js';
import { usageAsideName, usageBatchName, usageBundleName, usagePrefix } from '../storage/object-names.js';
import { storedUsageBatch, type UsageBatch } from './usage-batch.js';
import { batchesInBundle, storedUsageBundle } from './usage-bundle.js';
import type { UsageLog } from './usage-log.js';

/** Batches in one page, and bytes after which it is full. */
export const maxPageBatches = batchesInBundle;
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

/** What an object holds. `later`: this process cannot read it, another one may. */
type Found = readonly UsageBatch[] | 'later';

export class StoredUsage implements UsageReader {
  constructor(private readonly options: StoredUsageOptions) {}

  async page(): Promise<UsagePage> {
    const { runtime, store, own } = this.options;
    // Whoever asks one node sees at once what that one counted.
    await own.store();
    const batches: UsageBatch[] = [];
    /** The last number of each epoch that is in the page. */
    const last = new Map<NodeEpoch, number>();
    let bytes = 0;
    let after: string | undefined;
    do {
      const from = after === undefined ? {} : { after };
      const listed = await readWithRetry(runtime, usagePrefix, () =>
        store.list(usagePrefix, { ...from, limit: maxPageBatches }),
      );
      after = listed.next;
      for (const [index, key] of listed.keys.entries()) {
        const { found, size } = await this.#readWithMissed(key, last);
        if (found === 'later') {
          // What comes after it in its epoch would be added before it, and it never.
          after = endOfEpoch(key);
          break;
        }
        const fresh = found.filter(({ epoch, sequence }) => sequence > (last.get(epoch) ?? 0));
        if (batches.length > 0 && batches.length + fresh.length > maxPageBatches) return { batches, more: true };
        for (const { epoch, sequence } of fresh) last.set(epoch, sequence);
        batches.push(...fresh);
        bytes += size;
        if (batches.length >= maxPageBatches || bytes >= fullPageBytes) {
          return { batches, more: index + 1 < listed.keys.length || listed.next !== undefined };
        }
      }
    } while (after !== undefined);
    return { batches, more: false };
  }

  async remove(batches: readonly { readonly epoch: NodeEpoch; readonly sequence: number }[]): Promise<void> {
    const { runtime, store } = this.options;
    await Promise.all(
      batches.map(async ({ epoch, sequence }) => {
        await deleteWithRetry(runtime, store, usageBatchName(epoch, sequence));
        // The last of a bundle: it is handed on as a whole, so that all of it was added.
        if (sequence % batchesInBundle !== 0) return;
        await deleteWithRetry(runtime, store, usageBundleName(epoch, sequence - batchesInBundle + 1, sequence));
      }),
    );
  }

  /**
   * What an object holds, and before it what a listing that is older than a bundle does not show: the batches of the bundle
   * are gone from where they were listed, and it is not listed. Whoever added what follows would never add them.
   */
  async #readWithMissed(
    key: string,
    last: ReadonlyMap<NodeEpoch, number>,
  ): Promise<{ readonly found: Found; readonly size: number }> {
    const read = await this.#read(key);
    const [first] = read.found;
    if (read.found === 'later' || first === undefined || typeof first === 'string') return read;
    const { epoch, sequence } = first;
    const before = sequence - 1;
    if (before === 0 || last.get(epoch) === before) return read;
    const start = before - ((before - 1) % batchesInBundle);
    const missed = await this.#read(usageBundleName(epoch, start, start + batchesInBundle - 1));
    if (missed.found === 'later') return missed;
    const end = missed.found.at(-1)?.sequence ?? 0;
    return {
      found: [...missed.found, ...read.found.filter((batch) => batch.sequence > end)],
      size: missed.size + read.size,
    };
  }

  /** What an object holds; nothing when it is gone, or was damaged and is set aside now. */
  async #read(key: string): Promise<{ readonly found: Found; readonly size: number }> {
    const { runtime, store, report } = this.options;
    let damaged: Buffer | undefined;
    for (;;) {
      const object = await readWithRetry(runtime, key, () => store.get(key));
      // Another replica of the control plane was faster.
      if (!object) return { found: [], size: 0 };
      const size = object.body.length;
      try {
        return { found: decoded(key, object.body), size };
      } catch (error) {
        if (isByocError(error, 'STORE_FORMAT_UNKNOWN') && ofSomeRelease.test(object.body.toString('latin1', 0, 64))) {
          report('a batch of usage is of another release', { key });
          return { found: 'later', size };
        }
        const isDamaged =
          error instanceof ForeignBatch || isByocError(error, 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN');
        if (!isDamaged) throw error;
        // Only what is the same when it is read again is damaged where it lies.
        if (damaged?.equals(object.body)) {
          await this.#setAside(key, damaged, error);
          return { found: [], size: 0 };
        }
        if (damaged) return { found: 'later', size };
        damaged = object.body;
      }
    }
  }

  /** Out of the way of the others, for a person to look at. */
  async #setAside(key: string, body: Buffer, why: Error): Promise<void> {
    const { runtime, store, report } = this.options;
    const digest = createHash('sha256').update(body).digest('hex').slice(0, 16);
    const aside = usageAsideName(key, digest);
    await writeOnce(runtime, store, aside, body);
    await deleteWithRetry(runtime, store, key);
    report('a batch of usage was damaged, and is set aside', { key, aside, error: String(why) });
  }
}

/** How batches begin, whatever version they have. */
const ofSomeRelease = /^turso-byoc\/usage(-bundle)?\/\d{1,4} /;

/** An object under a name that is not its own. Never leaves this file. */
class ForeignBatch extends Error {}

function decoded(key: string, body: Buffer): readonly UsageBatch[] {
  if (!key.includes('-')) {
    const batch = storedUsageBatch.decode(key, body);
    if (usageBatchName(batch.epoch, batch.sequence) === key) return [batch];
  } else {
    const { batches } = storedUsageBundle.decode(key, body);
    const [first] = batches;
    const names = batches.map(({ epoch, sequence }) => usageBatchName(epoch, sequence));
    const isWhole =
      first !== undefined &&
      usageBundleName(first.epoch, first.sequence, first.sequence + batchesInBundle - 1) === key &&
      names.every((name, place) => name === usageBatchName(first.epoch, first.sequence + place));
    if (isWhole) return batches;
  }
  throw new ForeignBatch(`the object ${key} is not what its name says`);
}

/** After every object of the epoch that this one is of. */
function endOfEpoch(key: string): string {
  const [prefix = '', epoch = ''] = key.split('/');
  return `${prefix}/${epoch}/~`;
}
