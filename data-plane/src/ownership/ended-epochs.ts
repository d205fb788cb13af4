import { ByocError, isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readRecoveryRecord, type RecoveryRecord } from './recovery-record.js';

/** Recovery records of ended epochs; each is read once and kept for the databases that follow. */
export class EndedEpochs {
  readonly #found = new Map<NodeEpoch, RecoveryRecord>();
  readonly #reading = new Map<NodeEpoch, Promise<RecoveryRecord | undefined>>();

  constructor(
    private readonly runtime: Runtime,
    private readonly dataStore: ObjectStore,
    private readonly maxRemembered: number,
  ) {}

  /**
   * The record, or undefined while the epoch is not recovered. Throws `STORE_UNAVAILABLE`, and `EPOCH_NOT_RECOVERED` when the
   * record cannot be read: the epoch's databases stay closed rather than lose a commit.
   */
  async find(epoch: NodeEpoch): Promise<RecoveryRecord | undefined> {
    const known = this.#found.get(epoch);
    if (known) return known;
    const reading =
      this.#reading.get(epoch) ??
      readRecoveryRecord(this.runtime, this.dataStore, epoch)
        .catch((cause: unknown) => {
          if (!isByocError(cause) || cause.code === 'STORE_UNAVAILABLE') throw cause;
          throw new ByocError('EPOCH_NOT_RECOVERED', `what node epoch ${epoch} left is not known: ${cause.message}`, {
            cause,
          });
        })
        .finally(() => this.#reading.delete(epoch));
    this.#reading.set(epoch, reading);
    const record = await reading;
    if (record) this.remember(record);
    return record;
  }

  /** Whether the epoch is known here to have ended, without asking the store. */
  isKnown(epoch: NodeEpoch): boolean {
    return this.#found.has(epoch);
  }

  remember(record: RecoveryRecord): void {
    if (this.#found.size >= this.maxRemembered) {
      const [oldest] = this.#found.keys();
      if (oldest !== undefined) this.#found.delete(oldest);
    }
    this.#found.set(record.epoch, record);
  }
}
