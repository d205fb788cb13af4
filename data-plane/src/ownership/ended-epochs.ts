import { ByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import { listEpochs } from './node-record.js';
import { recoverEpoch, type RecoveryStores } from './recover-epoch.js';
import type { RecoveryRecord } from './recovery-record.js';

/**
 * Recovery records of epochs that have ended, each brought about on first need and kept for the databases that follow.
 *
 * A deployment with one data node has no other living epoch than that node's own: every other one has ended, and is
 * recovered when one of its databases is opened, or at start, whichever comes first.
 */
export class EndedEpochs {
  readonly #stores: RecoveryStores;
  readonly #own: NodeEpoch;
  readonly #maxRemembered: number;
  readonly #recovered = new Map<NodeEpoch, Promise<RecoveryRecord>>();

  constructor(stores: RecoveryStores, own: NodeEpoch, maxRemembered: number) {
    this.#stores = stores;
    this.#own = own;
    this.#maxRemembered = maxRemembered;
  }

  /** Throws `EPOCH_NOT_RECOVERED`: its log cannot be read, and its databases stay closed rather than lose a commit. */
  async recovery(epoch: NodeEpoch): Promise<RecoveryRecord> {
    const known = this.#recovered.get(epoch);
    if (known) return known;
    const running = recoverEpoch(this.#stores, epoch, this.#own).catch((cause: unknown) => {
      this.#recovered.delete(epoch);
      if (cause instanceof ByocError && cause.code === 'STORE_UNAVAILABLE') throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ByocError('EPOCH_NOT_RECOVERED', `the log of node epoch ${epoch} could not be recovered: ${why}`, {
        cause,
      });
    });
    if (this.#recovered.size >= this.#maxRemembered) {
      const [oldest] = this.#recovered.keys();
      if (oldest !== undefined) this.#recovered.delete(oldest);
    }
    this.#recovered.set(epoch, running);
    return running;
  }

  /** Ends every other epoch, so that nothing of theirs can be written any more. Failures are reported, not thrown. */
  async recoverAll(onFailure: (epoch: NodeEpoch, error: unknown) => void): Promise<void> {
    for await (const epoch of listEpochs(this.#stores.runtime, this.#stores.dataStore)) {
      if (epoch === this.#own) continue;
      await this.recovery(epoch).catch((error: unknown) => onFailure(epoch, error));
    }
  }
}
