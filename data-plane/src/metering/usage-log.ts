/**
 * Counts what the databases of this node use, and stores it from time to time. Only databases that were used since the last
 * time take memory here, and nothing is stored, and no timer runs, while none is.
 *
 * Invariant: a batch is stored under the epoch's name and a number that no other batch of the epoch has, with the same bytes
 * at every attempt, and the next one only when its outcome is known. Whoever adds batches up in their order, each number
 * once, counts nothing twice. What was counted and not stored is lost with the process.
 */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite } from '../storage/conditional-write.js';
import { usageBatchName } from '../storage/object-names.js';
import {
  maxBatchDatabases,
  storedUsageBatch,
  type DatabaseSize,
  type SizeEntry,
  type UsageCounts,
  type UsageEntry,
} from './usage-batch.js';
import type { UsageBundler } from './usage-bundler.js';

/** How long what was counted waits to be stored: as much is lost with a node. */
export const storeUsageAfterMs = 60_000;
const hourMs = 3_600_000;

/** Where what databases use is counted. */
export interface UsageSink {
  count(id: DatabaseId, counts: Partial<UsageCounts>): void;
  /** Notes how large a database is. */
  sized(id: DatabaseId, size: DatabaseSize): void;
}

export interface UsageLogOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly epoch: NodeEpoch;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Told of every batch that was stored. */
  readonly bundler?: Pick<UsageBundler, 'stored'> | undefined;
  /** Told of everything that is counted. */
  readonly onCounted?: ((counts: Partial<UsageCounts>) => void) | undefined;
}

type Counted = { -readonly [Name in keyof UsageCounts]: UsageCounts[Name] };
const names = ['rowsRead', 'rowsWritten', 'bytesSynced', 'queries'] as const;

export class UsageLog implements UsageSink {
  readonly #options: UsageLogOptions;
  /** By the hour, in milliseconds since 1970; what is not in a batch yet. */
  readonly #hours = new Map<number, Map<DatabaseId, Counted>>();
  /** The last size of each database that is not in a batch yet. */
  readonly #sizes = new Map<DatabaseId, DatabaseSize>();
  /** Batches whose outcome is not known. New ones are made only when there are none: an outage gathers no batches. */
  #batches: { readonly sequence: number; readonly bytes: Buffer }[] = [];
  #sequence = 0;
  #last: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: UsageLogOptions) {
    this.#options = options;
  }

  /** Adds to what a database used. Numbers that are no counts are left out: an engine process may send any. */
  count(id: DatabaseId, counts: Partial<UsageCounts>): void {
    const { runtime, onCounted } = this.#options;
    const given = names.filter((name) => isCount(counts[name]));
    if (given.length === 0) return;
    const hour = hourOf(runtime.nowMs());
    let databases = this.#hours.get(hour);
    if (!databases) this.#hours.set(hour, (databases = new Map<DatabaseId, Counted>()));
    let counted = databases.get(id);
    if (!counted) databases.set(id, (counted = { rowsRead: 0, rowsWritten: 0, bytesSynced: 0, queries: 0 }));
    for (const name of given) {
      counted[name] = Math.min(counted[name] + (counts[name] ?? 0), Number.MAX_SAFE_INTEGER);
    }
    onCounted?.(Object.fromEntries(given.map((name) => [name, counts[name]])));
    this.#storeLater();
  }

  sized(id: DatabaseId, size: DatabaseSize): void {
    this.#sizes.set(id, size);
    this.#storeLater();
  }

  /** Stores what was counted up to now. Throws `STORE_UNAVAILABLE`; then it is kept, and tried again later. */
  async store(): Promise<void> {
    const storing = this.#last.then(async () => this.#storeAll());
    this.#last = storing.catch(() => undefined);
    return storing;
  }

  /** Nothing is stored by itself any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #storeLater(): void {
    if (this.#cancel || this.#isStopped) return;
    const { runtime, report } = this.#options;
    this.#cancel = runtime.schedule(storeUsageAfterMs, () => {
      this.#cancel = undefined;
      this.store().catch((error: unknown) => {
        report('usage was not stored', { error: String(error) });
        this.#storeLater();
      });
    });
  }

  async #storeAll(): Promise<void> {
    const { runtime, store, epoch, bundler, report } = this.#options;
    for (;;) {
      const [next] = this.#batches;
      if (next) {
        const { sequence, bytes } = next;
        const key = usageBatchName(epoch, sequence);
        const written = await conditionalWrite(runtime, store, key, bytes, { ifAbsent: true });
        if (!written.won && written.current) throw new Error(`object ${key} was written by someone else`);
        this.#batches.shift();
        // It is stored, whatever becomes of those before it.
        await bundler?.stored(sequence).catch((error: unknown) => {
          report('usage was not bundled', { error: String(error) });
        });
      } else {
        if (this.#hours.size === 0 && this.#sizes.size === 0) return;
        this.#makeBatches();
      }
    }
  }

  #makeBatches(): void {
    const { runtime } = this.#options;
    for (const [hour, databases] of this.#hours) {
      const entries = [...databases].map(([id, { rowsRead, rowsWritten, bytesSynced, queries }]): UsageEntry => {
        return [id, rowsRead, rowsWritten, bytesSynced, queries];
      });
      for (let from = 0; from < entries.length; from += maxBatchDatabases) {
        const some = entries.slice(from, from + maxBatchDatabases);
        this.#makeBatch(hour, some, this.#takeSizes(some.map(([id]) => id)));
      }
    }
    this.#hours.clear();
    // Of databases that were not used otherwise.
    while (this.#sizes.size > 0) {
      const sizes = this.#takeSizes([...this.#sizes.keys()].slice(0, maxBatchDatabases));
      this.#makeBatch(hourOf(runtime.nowMs()), [], sizes);
    }
  }

  #takeSizes(ids: readonly DatabaseId[]): SizeEntry[] {
    return ids.flatMap((id) => {
      const size = this.#sizes.get(id);
      this.#sizes.delete(id);
      return size ? [[id, size.commit, size.pages] as const] : [];
    });
  }

  #makeBatch(hour: number, databases: readonly UsageEntry[], sizes: readonly SizeEntry[]): void {
    const { epoch } = this.#options;
    const sequence = ++this.#sequence;
    const batch = { epoch, sequence, hourMs: hour, databases, ...(sizes.length > 0 && { sizes }) };
    this.#batches.push({ sequence, bytes: storedUsageBatch.encode(batch) });
  }
}

/** When the hour of a moment began. */
function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs) * hourMs;
}

function isCount(value: number | undefined): boolean {
  return value !== undefined && value > 0 && Number.isSafeInteger(value);
}
