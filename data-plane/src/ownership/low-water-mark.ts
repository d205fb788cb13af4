/**
 * The low-water mark of this epoch: its log below is not needed to recover it.
 *
 * The mark never passes a position that holds an unfolded fragment of any database, closed ones included, that a restore
 * or fold in progress began with, or that is not acknowledged. It becomes durable in the node record first, in one write
 * with the names of all packs that hold unfolded fragments, which can only succeed while the epoch is not condemned; then
 * what the durable record does not need is deleted: log objects below the mark, and packs that are no longer named. A
 * crash between leaves garbage, which goes with the rest of the log when the epoch has ended.
 */
import type { NodeEpoch } from '../identity.js';
import { deleteWithRetry } from '../storage/conditional-write.js';
import { packName } from '../storage/object-names.js';
import type { TailStores } from '../storage/tail.js';
import { removeEntry } from './remove-entry.js';
import type { NodeRecord } from './node-record.js';
import type { UnfoldedLog } from './unfolded-log.js';

export type MarkChange = Pick<NodeRecord, 'lowWaterPosition' | 'packs'>;

/** This epoch's own node record. */
export interface MarkRecord {
  /**
   * Resolves when the record is stored with this change. Rejects when the epoch was condemned, or when it is not known
   * whether the change took effect.
   */
  change(change: MarkChange): Promise<unknown>;
}

export interface LowWaterMarkOptions {
  readonly epoch: NodeEpoch;
  readonly stores: TailStores;
  readonly record: MarkRecord;
  readonly log: { readonly acknowledgedPosition: number };
  readonly unfolded: UnfoldedLog;
}

const parallelDeletes = 16;

export class LowWaterMark {
  readonly #options: LowWaterMarkOptions;
  /** As last stored. */
  #position = 0;
  /** As last stored; undefined when that is not known. */
  #packs: ReadonlySet<number> | undefined = new Set();
  #deletedBelow = 0;
  /** Packs that may be in the store. */
  readonly #storedPacks = new Set<number>();

  constructor(options: LowWaterMarkOptions) {
    this.#options = options;
  }

  /** The durable mark. */
  get position(): number {
    return this.#position;
  }

  /** To be called before a pack is written. */
  packIsWritten(number: number): void {
    this.#storedPacks.add(number);
  }

  /** Makes the mark durable that the present state allows, and the packs that it uses; does nothing when they are. */
  async raise(): Promise<void> {
    const { log, unfolded, record } = this.#options;
    const lowWaterPosition = Math.min(
      log.acknowledgedPosition,
      unfolded.lowestPosition() ?? Infinity,
      unfolded.lowestHeldPosition() ?? Infinity,
    );
    const packs = new Set(unfolded.packs());
    if (this.#packs && lowWaterPosition <= this.#position && sameNumbers(packs, this.#packs)) return;
    this.#packs = undefined;
    await record.change({
      lowWaterPosition: Math.max(lowWaterPosition, this.#position),
      packs: [...packs].sort((a, b) => a - b),
    });
    this.#packs = packs;
    this.#position = Math.max(lowWaterPosition, this.#position);
  }

  /** Deletes what the durable record does not need. */
  async deleteBelow(): Promise<void> {
    const { epoch, stores, unfolded } = this.#options;
    if (this.#packs) {
      const needed = [this.#packs, unfolded.packs(), unfolded.heldPacks()];
      const packs = [...this.#storedPacks].filter((pack) => !needed.some((numbers) => numbers.has(pack)));
      await deleteAll(packs, async (pack) => {
        await deleteWithRetry(stores.runtime, stores.dataStore, packName(epoch, pack));
        this.#storedPacks.delete(pack);
      });
    }
    const end = this.#position;
    while (this.#deletedBelow < end) {
      const next = Math.min(this.#deletedBelow + parallelDeletes, end);
      const positions = Array.from({ length: next - this.#deletedBelow }, (_, index) => this.#deletedBelow + index);
      await deleteAll(positions, async (position) => removeEntry(stores, epoch, position));
      this.#deletedBelow = next;
    }
  }
}

async function deleteAll(numbers: readonly number[], deleteOne: (number: number) => Promise<void>): Promise<void> {
  for (let start = 0; start < numbers.length; start += parallelDeletes) {
    await Promise.all(numbers.slice(start, start + parallelDeletes).map(deleteOne));
  }
}

function sameNumbers(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((number) => b.has(number));
}
