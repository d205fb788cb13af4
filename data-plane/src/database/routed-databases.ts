/**
 * The databases of the deployment, through any of its nodes: a request runs where its database is open, and is passed on
 * to the owner otherwise. While nobody can serve the database (its owner died, or is handing it over) the request waits;
 * it is sent on only as long as nothing of it can have taken effect.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Location, Locator } from '../ownership/locator.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import type { Runtime } from '../runtime.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';
import type { WrappingChange } from './change-wrapping.js';
import type {
  DatabaseDescription,
  DatabaseService,
  InventoryEntry,
  NewDatabase,
  DatabaseRequest,
  SqlResponse,
} from './database-service.js';
import type { FileAnswer, FileRequest } from './file-request.js';
import type { EncryptionState } from './encryption-state.js';
import type { NodeObserver } from './node-observer.js';
import type { NodeDatabases } from './node-databases.js';
import { PeerUnreachableError, type Peers } from './peers.js';
import type { HoldChange, HoldState } from './hold-database.js';
import type { RekeyRequest } from './rekey-database.js';
import type { DumpSeed } from './seed-from-dump.js';
import type { ShredRequest } from './shred-database.js';

export interface RoutedDatabasesOptions {
  readonly runtime: Runtime;
  readonly local: NodeDatabases;
  readonly locator: Locator;
  readonly peers: Peers;
  /** How long a request may wait for somebody who serves its database. */
  readonly routeTimeoutMs: number;
  readonly observer?: NodeObserver;
}

const firstDelayMs = 10;
const maxDelayMs = 250;
/** An owner that cannot be reached, and of which nothing is heard, is tried again after this long: at first, and at the latest. */
const firstUnreachableMs = 100;
const maxUnreachableMs = 1_000;
/** Attempts to reach it between two looks at the manifest. */
const attemptsPerLook = 3;

export class RoutedDatabases implements DatabaseService {
  readonly #options: RoutedDatabasesOptions;

  constructor(options: RoutedDatabasesOptions) {
    this.#options = options;
  }

  async find(
    organization: string,
    name: string,
    options?: { readonly fresh?: boolean },
  ): Promise<DatabaseDescription | undefined> {
    return this.#options.local.find(organization, name, options);
  }

  async describe(id: DatabaseId): Promise<DatabaseDescription | undefined> {
    return this.#options.local.describe(id);
  }

  async inventory(after: DatabaseId | undefined, limit: number): Promise<InventoryEntry[]> {
    return this.#options.local.inventory(after, limit);
  }

  async storedBytes(id: DatabaseId): Promise<number> {
    return this.#options.local.storedBytes(id);
  }

  async stageDump(dump: string, chunk: number, key: Buffer, content: Buffer): Promise<void> {
    return this.#options.local.stageDump(dump, chunk, key, content);
  }

  async removeDump(dump: string): Promise<void> {
    return this.#options.local.removeDump(dump);
  }

  async loadDump(id: DatabaseId, seed: DumpSeed, { isForwarded = false } = {}): Promise<void> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.loadDump(id, seed);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.loadDump(id, seed) : peers.loadDump(location, id, seed),
    );
  }

  async topStatements(id: DatabaseId, sinceMs: number, { isForwarded = false } = {}): Promise<ShapedCosts[]> {
    const { local, peers } = this.#options;
    if (isForwarded || local.isOpen(id)) return local.topStatements(id, sinceMs);
    return this.#route(id, async (location) => {
      if (location.kind === 'here') return local.topStatements(id, sinceMs);
      const told = await peers.topStatements(location, id, sinceMs).catch((error: unknown): ShapedCosts[] => {
        // It is of a release that keeps none.
        if (isByocError(error, 'ROUTE_NOT_FOUND')) return [];
        throw error;
      });
      // A node that serves the database no longer knows nothing of it, and does not say so.
      if (told.length > 0 || !location.isRemembered) return told;
      throw new ByocError('DATABASE_MOVED', `database ${id} may be served by another node by now`);
    });
  }

  async create(database: NewDatabase, { isForwarded = false } = {}): Promise<DatabaseDescription> {
    const { local, peers } = this.#options;
    if (isForwarded || !database.branch) return local.create(database);
    return this.#route(database.branch.parent, async (location) =>
      location.kind === 'here' ? local.create(database) : peers.branch(location, database),
    );
  }

  async undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription> {
    return this.#options.local.undelete(id, newName);
  }

  async execute(id: DatabaseId, request: DatabaseRequest): Promise<SqlResponse> {
    const { local, peers } = this.#options;
    // A request that was passed on once is not passed on again: two nodes that disagree would send it in circles.
    if (request.isForwarded) return local.execute(id, request);
    if (local.isOpen(id)) {
      try {
        return await local.execute(id, request);
      } catch (error) {
        if (!isByocError(error, 'DATABASE_MOVED')) throw error;
      }
    }
    return this.#route(
      id,
      async (location) =>
        location.kind === 'here'
          ? local.execute(id, request, location.found)
          : this.#passOn(location, async () => peers.execute(location, request)),
      request.signal,
    );
  }

  async serveFile(id: DatabaseId, request: FileRequest): Promise<FileAnswer> {
    const { local, peers } = this.#options;
    if (request.isForwarded) return local.serveFile(id, request);
    return this.#route(
      id,
      async (location) =>
        location.kind === 'here'
          ? local.serveFile(id, request)
          : this.#passOn(location, async () => peers.serveFile(location, request)),
      request.signal,
    );
  }

  async #passOn<T>(location: Location, run: () => Promise<T>): Promise<T> {
    const { observer } = this.#options;
    try {
      const answer = await run();
      observer?.forwarded?.('done');
      return answer;
    } catch (error) {
      observer?.forwarded?.(isNotTaken(error, location) ? 'refused' : 'failed');
      throw error;
    }
  }

  async collect(id: DatabaseId, { isForwarded = false } = {}): Promise<void> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.collect(id);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.collect(id) : peers.collect(location, id),
    );
  }

  async rewrap(id: DatabaseId, keyId: string, { isForwarded = false } = {}): Promise<boolean> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.rewrap(id, keyId);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.rewrap(id, keyId) : peers.rewrap(location, id, keyId),
    );
  }

  async rekey(id: DatabaseId, request: RekeyRequest, { isForwarded = false } = {}): Promise<EncryptionState> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.rekey(id, request);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.rekey(id, request) : peers.rekey(location, id, request),
    );
  }

  async changeWrapping(id: DatabaseId, change: WrappingChange, { isForwarded = false } = {}): Promise<EncryptionState> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.changeWrapping(id, change);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.changeWrapping(id, change) : peers.changeWrapping(location, id, change),
    );
  }

  async encryption(id: DatabaseId): Promise<EncryptionState> {
    return this.#options.local.encryption(id);
  }

  async shred(id: DatabaseId, request: ShredRequest, { isForwarded = false } = {}): Promise<ShredCertificate> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.shred(id, request);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.shred(id, request) : peers.shred(location, id, request),
    );
  }

  async certificate(id: DatabaseId): Promise<ShredCertificate> {
    return this.#options.local.certificate(id);
  }

  async changeHold(id: DatabaseId, change: HoldChange, { isForwarded = false } = {}): Promise<HoldState> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.changeHold(id, change);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.changeHold(id, change) : peers.changeHold(location, id, change),
    );
  }

  async holds(id: DatabaseId): Promise<HoldState> {
    return this.#options.local.holds(id);
  }

  async delete(id: DatabaseId, { isForwarded = false } = {}): Promise<void> {
    const { local, peers } = this.#options;
    if (isForwarded) return local.delete(id);
    return this.#route(id, async (location) =>
      location.kind === 'here' ? local.delete(id) : peers.delete(location, id),
    );
  }

  async #route<T>(
    id: DatabaseId,
    run: (location: Exclude<Location, { kind: 'nobody' }>) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { runtime, locator, routeTimeoutMs } = this.#options;
    const deadlineMs = runtime.monotonicMs() + routeTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      const leftMs = deadlineMs - runtime.monotonicMs();
      let failure: unknown;
      const location = await locator.locate(id);
      if (location.kind === 'nobody') {
        if (leftMs > 0) await locator.waitFor(location.owner, leftMs);
        failure = new ByocError('DATABASE_MOVED', `the node that owns database ${id} does not answer`);
      } else {
        try {
          const answer = await run(location);
          if (location.kind === 'peer') locator.found(id, location.epoch);
          return answer;
        } catch (error) {
          if (!isNotTaken(error, location)) throw error;
          failure = error;
        }
        if (location.kind === 'peer' && failure instanceof PeerUnreachableError) {
          await this.#waitForPeer(id, location, attempt, leftMs);
        } else {
          locator.forget(id);
          await runtime.sleep(Math.min(firstDelayMs * 2 ** attempt, maxDelayMs) * (0.5 + runtime.randomFraction()));
        }
      }
      if (runtime.monotonicMs() < deadlineMs && signal?.aborted !== true) continue;
      if (!(failure instanceof PeerUnreachableError)) throw failure;
      throw new ByocError('DATABASE_MOVED', `the node that owns database ${id} cannot be reached`, { cause: failure });
    }
  }

  /**
   * A node that cannot be reached has not said that it is not the owner: most often it has just died, and the manifest says
   * so no sooner than its record. So its record is watched, and the manifest is read now and then only.
   */
  async #waitForPeer(
    id: DatabaseId,
    { epoch, isRemembered }: Extract<Location, { kind: 'peer' }>,
    attempt: number,
    leftMs: number,
  ): Promise<void> {
    const { runtime, locator } = this.#options;
    if (isRemembered && attempt % attemptsPerLook === 0) locator.forget(id);
    const mostMs = Math.min(firstUnreachableMs * 4 ** attempt, maxUnreachableMs, Math.max(leftMs, 0));
    await locator.waitFor(epoch, mostMs * (0.5 + runtime.randomFraction() / 2));
  }
}

/** Whether the request certainly had no effect and another node, or the same one later, may take it. */
function isNotTaken(error: unknown, location: Location): boolean {
  if (error instanceof PeerUnreachableError || isByocError(error, 'DATABASE_MOVED')) return true;
  return location.kind === 'peer' && isByocError(error, 'SHUTTING_DOWN', 'NOT_READY');
}
