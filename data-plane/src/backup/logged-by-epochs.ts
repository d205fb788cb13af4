/**
 * What the epochs of a deployment have made durable and no manifest names yet, as a backup sees it.
 *
 * Invariant: an epoch is looked at before a manifest that names it as its owner is believed. Whatever is missing in the
 * findings because it was folded since is in the generation of that manifest.
 */
import { isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { lookAtEpoch, type EpochFindings } from '../ownership/look-at-epoch.js';
import { listMembers } from '../ownership/members.js';
import { recoveredFragments } from '../ownership/recovery-record.js';
import type { Runtime } from '../runtime.js';
import type { LogRange } from '../storage/log-location.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import type { Manifest } from '../storage/manifest.js';

export interface LoggedStores {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
}

/** Of epochs that ended so many findings are remembered. */
const maxRemembered = 256;

export class LoggedByEpochs {
  readonly #stores: LoggedStores;
  readonly #found = new Map<NodeEpoch, Promise<EpochFindings>>();

  constructor(stores: LoggedStores) {
    this.#stores = stores;
  }

  /** Looks at every epoch that may live. One that cannot be read fails when a database needs it. */
  async lookAtMembers(): Promise<void> {
    const { runtime, dataStore } = this.#stores;
    const members = await listMembers(runtime, dataStore);
    await Promise.all(
      members.map(async (epoch) =>
        this.#lookAt(epoch).catch((error: unknown) => {
          if (!isByocError(error)) throw error;
          this.#found.delete(epoch);
        }),
      ),
    );
  }

  /** Looks again at the epoch the next time: what it logged has moved. */
  forget(epoch: NodeEpoch): void {
    this.#found.delete(epoch);
  }

  /**
   * Everything logged after the generation of a manifest, by its owner and those before. Undefined when its owner is looked
   * at only now: the manifest has to be read again. Throws what looking at the owner threw: `STORE_OBJECT_MISSING`,
   * `STORE_OBJECT_CORRUPT`, `STORE_UNAVAILABLE`.
   */
  async rangesOf({ id, owner, term, tail, generation }: Manifest): Promise<readonly LogRange[] | undefined> {
    if (owner === undefined) return tail;
    const known = this.#found.get(owner);
    if (!known) {
      void this.#lookAt(owner);
      return undefined;
    }
    const folded = generation?.commit ?? 0;
    const fragments = recoveredFragments(await known, id, term).filter(([, , , , last]) => last > folded);
    return fragments.length === 0 ? tail : [...tail, { epoch: owner, term, fragments }];
  }

  async #lookAt(epoch: NodeEpoch): Promise<EpochFindings> {
    if (this.#found.size >= maxRemembered) {
      const [oldest] = this.#found.keys();
      if (oldest !== undefined) this.#found.delete(oldest);
    }
    const looking = lookAtEpoch(this.#stores, epoch);
    // Whoever needs it meets the failure.
    looking.catch(() => undefined);
    this.#found.set(epoch, looking);
    return looking;
  }
}
