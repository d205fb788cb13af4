import type { NodeEpoch } from '../../src/identity.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import type { MarkChange, MarkRecord } from '../../src/ownership/low-water-mark.js';
import {
  createNodeRecord,
  replaceNodeRecord,
  type NodeRecord,
  type VersionedNodeRecord,
} from '../../src/ownership/node-record.js';
import type { Runtime } from '../../src/runtime.js';

/** An epoch's own node record, written at once whenever it changes. */
export class StoredRecord implements MarkRecord {
  #record: VersionedNodeRecord | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly runtime: Runtime,
    private readonly store: ObjectStore,
    private readonly epoch: NodeEpoch,
  ) {}

  async create(more: Pick<NodeRecord, 'logBegun'> = {}): Promise<void> {
    this.#record = await createNodeRecord(this.runtime, this.store, this.epoch, more);
  }

  async change(change: MarkChange): Promise<void> {
    await this.replace(change);
  }

  /** Throws when somebody else changed it: the epoch is condemned. */
  async replace(change: Partial<Pick<NodeRecord, 'state' | 'lowWaterPosition' | 'packs'>>): Promise<void> {
    const replaced = this.#last.then(async () => {
      if (!this.#record) throw new Error('the epoch was not announced');
      const next = await replaceNodeRecord(this.runtime, this.store, this.#record, change);
      if (!next) throw new Error(`epoch ${this.epoch} was condemned`);
      this.#record = next;
    });
    this.#last = replaced.catch(() => undefined);
    return replaced;
  }
}
