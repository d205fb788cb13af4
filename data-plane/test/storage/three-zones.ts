import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '../../src/object-store/object-store.js';
import { LogZone } from '../../src/storage/log-store/log-zone.js';
import { QuorumLogStore, type QuorumLogStoreOptions } from '../../src/storage/log-store/quorum-log-store.js';
import { FaultyObjectStore, type Faults } from '../faulty-object-store.js';
import { MemoryStore } from '../memory-store.js';
import type { VirtualRuntime } from '../virtual-runtime.js';

/** A store that one process reaches or not. What it was asked before may have happened. */
export class ReachableStore implements ObjectStore {
  isReached = true;

  constructor(private readonly store: ObjectStore) {}

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#read(() => this.store.get(key));
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#read(() => this.store.getRange(key, start, length));
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#read(() => this.store.list(prefix, options));
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#write(() => this.store.put(key, body, condition));
  }

  async delete(key: string): Promise<void> {
    return this.#write(() => this.store.delete(key));
  }

  async #read<T>(request: () => Promise<T>): Promise<T> {
    this.#assertReached();
    const result = await request();
    this.#assertReached();
    return result;
  }

  async #write<T>(request: () => Promise<T>): Promise<T> {
    this.#assertReached();
    const result = await request();
    if (!this.isReached) throw new OutcomeUnknownError('simulated: cut off before the answer came');
    return result;
  }

  #assertReached(): void {
    if (!this.isReached) throw new StoreUnavailableError('simulated: cut off');
  }
}

/** What one process sees of the three zones. */
export class ZonesView {
  readonly stores: readonly ReachableStore[];
  readonly zones: readonly LogZone[];

  constructor(runtime: VirtualRuntime, buckets: readonly ObjectStore[], faults: Faults, seed: number) {
    const faulty = buckets.map((bucket, zone) => new FaultyObjectStore(runtime, bucket, faults, seed * 3 + zone));
    this.heal = () => faulty.forEach((store) => store.heal());
    this.stores = faulty.map((store) => new ReachableStore(store));
    this.zones = this.stores.map((store, zone) => new LogZone(`zone ${zone}`, store));
  }

  readonly heal: () => void;

  /** From now on the process does not reach this zone, and every other one; undefined: it reaches all. */
  cutOff(zone: number | undefined): void {
    for (const [index, store] of this.stores.entries()) store.isReached = index !== zone;
  }
}

/** Three buckets, of which one may be lost for good, and the regional store. */
export class ThreeZones {
  readonly dataStore = new MemoryStore();
  readonly buckets: MemoryStore[] = [0, 1, 2].map(() => new MemoryStore());
  /** The bucket that was lost. */
  lost: number | undefined;
  /** An empty bucket stands in its place for those who come later. */
  replacement: MemoryStore | undefined;

  constructor(readonly runtime: VirtualRuntime) {}

  /** Everything in the bucket is gone, also for those who use it now. */
  lose(zone: number, isReplaced: boolean): void {
    this.lost = zone;
    this.buckets[zone]?.objects.clear();
    if (isReplaced) this.replacement = new MemoryStore();
  }

  /** What a process that starts now sees. A lost bucket is not reached by anybody; see `follow`. */
  view(faults: Faults, seed: number): ZonesView {
    const buckets = this.buckets.map((bucket, zone) =>
      zone === this.lost && this.replacement ? this.replacement : bucket,
    );
    const view = new ZonesView(this.runtime, buckets, faults, seed);
    if (this.lost !== undefined && !this.replacement) view.cutOff(this.lost);
    return view;
  }

  logStore(view: ZonesView, dataStore: ObjectStore, make = defaultStore): QuorumLogStore {
    return make({ runtime: this.runtime, zones: view.zones, dataStore });
  }
}

export type MakeStore = (options: QuorumLogStoreOptions) => QuorumLogStore;

const defaultStore: MakeStore = (options) => new QuorumLogStore(options);
