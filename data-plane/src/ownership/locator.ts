/**
 * Finds the node that a database's requests belong to: its owner, or, when nobody owns it, the node that rendezvous
 * hashing prefers. The manifest is the truth; what is remembered of it only saves reads, because every claim is a
 * conditional write and a node that is asked in vain says so.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ManifestStore, VersionedManifest } from '../storage/manifest-store.js';
import type { EndedEpochs } from './ended-epochs.js';
import type { NodeAddress } from './node-record.js';
import type { Runtime } from '../runtime.js';
import type { NodeWatch } from './node-watch.js';
import { preferredNode } from './placement.js';

export type Location =
  /** This node; `found` is the manifest as it was just read, when it was. */
  | { readonly kind: 'here'; readonly found: VersionedManifest | undefined }
  | {
      readonly kind: 'peer';
      readonly epoch: NodeEpoch;
      readonly address: NodeAddress;
      /** The manifest may say something else by now. */
      readonly isRemembered: boolean;
    }
  /** Its owner does not answer and has not ended. */
  | { readonly kind: 'nobody'; readonly owner: NodeEpoch };

interface KnownOwner {
  readonly epoch: NodeEpoch;
  /** When its manifest, or the node itself, said so; on the monotonic clock. */
  readonly sinceMs: number;
}

/** What a manifest said is not asked again for so long, if only its owner is silent: somebody has to notice that first. */
const freshMs = 2_000;

export interface LocatorOptions {
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  readonly own: NodeEpoch;
  readonly manifests: Pick<ManifestStore, 'readAgain'>;
  readonly watch: Pick<NodeWatch, 'address' | 'isSilent' | 'candidates' | 'suspect' | 'failure'>;
  readonly ended: Pick<EndedEpochs, 'find' | 'isKnown'>;
  /** Whether this node takes databases that nobody owns. */
  readonly takesDatabases: () => boolean;
  /** Owners that are remembered. */
  readonly maxRemembered: number;
}

export class Locator {
  readonly #options: LocatorOptions;
  readonly #owners = new Map<DatabaseId, KnownOwner>();

  constructor(options: LocatorOptions) {
    this.#options = options;
  }

  /** Throws `STORE_UNAVAILABLE`, `STORE_OBJECT_CORRUPT`, and `SHUTTING_DOWN` when no node takes the database. */
  async locate(id: DatabaseId): Promise<Location> {
    const { runtime, watch, own, manifests, ended, takesDatabases } = this.#options;
    const remembered = this.#owners.get(id);
    if (remembered !== undefined) {
      const { epoch } = remembered;
      const isRemembered = runtime.monotonicMs() - remembered.sinceMs > freshMs;
      const address = watch.address(epoch);
      if (address) return { kind: 'peer', epoch, address, isRemembered };
      // Whoever is asked reads the manifest to claim it. Everybody who waited would read it here otherwise, all at once.
      if (ended.isKnown(epoch)) return this.#preferred(id, undefined);
      if (!isRemembered && watch.isSilent(epoch)) return { kind: 'nobody', owner: epoch };
      this.#owners.delete(id);
    }
    const found = await manifests.readAgain(id);
    // Whoever opens it says that it does not exist.
    if (!found || found.manifest.deletedAtMs !== undefined) return { kind: 'here', found };
    const { owner } = found.manifest;
    if (owner === undefined) return this.#preferred(id, found);
    if (owner === own && takesDatabases()) return { kind: 'here', found };
    // What this node has not handed over yet can be claimed when its epoch has ended.
    const address = owner === own ? undefined : watch.address(owner);
    if (address) {
      this.#remember(id, owner);
      return { kind: 'peer', epoch: owner, address, isRemembered: false };
    }
    if (await ended.find(owner)) return this.#preferred(id, found);
    this.#remember(id, owner);
    return { kind: 'nobody', owner };
  }

  /** A request for the database was taken by this node. */
  found(id: DatabaseId, epoch: NodeEpoch): void {
    if (this.#owners.get(id)?.epoch !== epoch) this.#remember(id, epoch);
  }

  /** Forgets where a database was found: it was not there. */
  forget(id: DatabaseId): void {
    this.#owners.delete(id);
  }

  /** Whether a database that nobody owns would be better off on another node. */
  prefersAnother(id: DatabaseId): boolean {
    const { watch, own, takesDatabases } = this.#options;
    const candidates = watch.candidates();
    return preferredNode(id, takesDatabases() ? [...candidates, own] : candidates) !== own;
  }

  /** Waits, at most `ms`, for an owner that does not answer to answer or to end. Throws `EPOCH_NOT_RECOVERED`. */
  async waitFor(owner: NodeEpoch, ms: number): Promise<void> {
    const { watch } = this.#options;
    await watch.suspect(owner, ms);
    const failure = watch.failure(owner);
    if (!failure || isByocError(failure, 'STORE_UNAVAILABLE')) return;
    throw new ByocError(
      'EPOCH_NOT_RECOVERED',
      `the log of node epoch ${owner} could not be recovered: ${failure.message}`,
      {
        cause: failure,
      },
    );
  }

  #preferred(id: DatabaseId, found: VersionedManifest | undefined): Location {
    const { watch, own, takesDatabases } = this.#options;
    const candidates = watch.candidates();
    const preferred = preferredNode(id, takesDatabases() ? [...candidates, own] : candidates);
    if (preferred === own) return { kind: 'here', found };
    const address = preferred && watch.address(preferred);
    if (!address) throw new ByocError('SHUTTING_DOWN', 'this node is stopping, and no other one takes the database');
    return { kind: 'peer', epoch: preferred, address, isRemembered: found === undefined };
  }

  #remember(id: DatabaseId, epoch: NodeEpoch): void {
    if (this.#owners.size >= this.#options.maxRemembered) {
      const [oldest] = this.#owners.keys();
      if (oldest !== undefined) this.#owners.delete(oldest);
    }
    this.#owners.set(id, { epoch, sinceMs: this.#options.runtime.monotonicMs() });
  }
}
