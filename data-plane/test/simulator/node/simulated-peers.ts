/** How simulated nodes pass requests on to each other. */
import type { DumpSeed } from '../../../src/database/seed-from-dump.js';
import type { ShapedCosts } from '../../../src/engine/ipc/shaped-costs.js';
import type { WrappingChange } from '@turso-byoc/data-plane/database/change-wrapping.js';
import type { EncryptionState } from '@turso-byoc/data-plane/database/encryption-state.js';
import type { HoldChange, HoldState } from '@turso-byoc/data-plane/database/hold-database.js';
import type { RekeyRequest } from '@turso-byoc/data-plane/database/rekey-database.js';
import type { ShredRequest } from '@turso-byoc/data-plane/database/shred-database.js';
import type { ShredCertificate } from '@turso-byoc/data-plane/storage/shred-certificate.js';
import type {
  DatabaseDescription,
  DatabaseService,
  NewDatabase,
  SqlRequest,
  SqlResponse,
} from '@turso-byoc/data-plane/database/database-service.js';
import { PeerUnreachableError, type Peer, type Peers } from '@turso-byoc/data-plane/database/peers.js';
import { ByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import { NoAnswerError, type Network } from '../network/network.js';
import type { Machine } from '../world/machine.js';

/** What a node offers to clients and to other nodes. */
export interface NodeFaces {
  readonly machine: Machine;
  readonly databases: Pick<DatabaseService, 'create' | 'find'> & {
    delete(id: DatabaseId, options?: { isForwarded?: boolean }): Promise<void>;
    collect(id: DatabaseId, options?: { isForwarded?: boolean }): Promise<void>;
    rewrap(id: DatabaseId, keyId: string, options?: { isForwarded?: boolean }): Promise<boolean>;
    encryption(id: DatabaseId): Promise<EncryptionState>;
    rekey(id: DatabaseId, request: RekeyRequest, options?: { isForwarded?: boolean }): Promise<EncryptionState>;
    changeWrapping(
      id: DatabaseId,
      change: WrappingChange,
      options?: { isForwarded?: boolean },
    ): Promise<EncryptionState>;
    changeHold(id: DatabaseId, change: HoldChange, options?: { isForwarded?: boolean }): Promise<HoldState>;
    shred(id: DatabaseId, request: ShredRequest, options?: { isForwarded?: boolean }): Promise<ShredCertificate>;
    loadDump(id: DatabaseId, seed: DumpSeed, options?: { isForwarded?: boolean }): Promise<void>;
    topStatements(id: DatabaseId, sinceMs: number, options?: { isForwarded?: boolean }): Promise<ShapedCosts[]>;
  };
  /** Admits a request by the name of its database, and runs it. */
  sql(request: SqlRequest): Promise<SqlResponse>;
}

export interface SimulatedPeersOptions {
  readonly network: Network;
  readonly machine: Machine;
  /** The node that was started on the machine with this name. */
  readonly nodeAt: (host: string) => NodeFaces | undefined;
}

/** Longer than any call between nodes takes while the peer is neither dead nor given up. */
const patienceMs = 120_000;
const connectTimeoutMs = 1_000;

export class SimulatedPeers implements Peers {
  readonly #options: SimulatedPeersOptions;
  readonly #underWay = new Map<NodeEpoch, Set<AbortController>>();

  constructor(options: SimulatedPeersOptions) {
    this.#options = options;
  }

  async execute(peer: Peer, request: SqlRequest): Promise<SqlResponse> {
    return this.#call(
      peer,
      async (node, signal) => node.sql({ ...request, signal, isForwarded: true }),
      request.signal,
    );
  }

  /** Nothing in the simulation asks for the file of a database. */
  async serveFile(): Promise<never> {
    throw new Error('simulated nodes pass no requests for files on');
  }

  async branch(peer: Peer, child: NewDatabase): Promise<DatabaseDescription> {
    return this.#call(peer, async (node) => node.databases.create(child, { isForwarded: true }));
  }

  async delete(peer: Peer, id: DatabaseId): Promise<void> {
    return this.#call(peer, async (node) => node.databases.delete(id, { isForwarded: true }));
  }

  async collect(peer: Peer, id: DatabaseId): Promise<void> {
    return this.#call(peer, async (node) => node.databases.collect(id, { isForwarded: true }));
  }

  async rewrap(peer: Peer, id: DatabaseId, keyId: string): Promise<boolean> {
    return this.#call(peer, async (node) => node.databases.rewrap(id, keyId, { isForwarded: true }));
  }

  async rekey(peer: Peer, id: DatabaseId, request: RekeyRequest): Promise<EncryptionState> {
    return this.#call(peer, async (node) => node.databases.rekey(id, request, { isForwarded: true }));
  }

  async changeWrapping(peer: Peer, id: DatabaseId, change: WrappingChange): Promise<EncryptionState> {
    return this.#call(peer, async (node) => node.databases.changeWrapping(id, change, { isForwarded: true }));
  }

  async shred(peer: Peer, id: DatabaseId, request: ShredRequest): Promise<ShredCertificate> {
    return this.#call(peer, async (node) => node.databases.shred(id, request, { isForwarded: true }));
  }

  async changeHold(peer: Peer, id: DatabaseId, change: HoldChange): Promise<HoldState> {
    return this.#call(peer, async (node) => node.databases.changeHold(id, change, { isForwarded: true }));
  }

  async loadDump(peer: Peer, id: DatabaseId, seed: DumpSeed): Promise<void> {
    return this.#call(peer, async (node) => node.databases.loadDump(id, seed, { isForwarded: true }));
  }

  async topStatements(peer: Peer, id: DatabaseId, sinceMs: number): Promise<ShapedCosts[]> {
    return this.#call(peer, async (node) => node.databases.topStatements(id, sinceMs, { isForwarded: true }));
  }

  abandon(epoch: NodeEpoch): void {
    for (const controller of this.#underWay.get(epoch) ?? []) controller.abort();
  }

  async #call<T>(
    { epoch, address: { host } }: Peer,
    perform: (node: NodeFaces, signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { network, machine, nodeAt } = this.#options;
    const node = nodeAt(host);
    if (!node) throw new PeerUnreachableError(`${host} is not there`);
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    signal?.addEventListener('abort', abort, { once: true });
    const underWay = this.#underWay.get(epoch) ?? new Set();
    this.#underWay.set(epoch, underWay.add(controller));
    try {
      const how = { timeoutMs: patienceMs, connectTimeoutMs, signal: controller.signal };
      return await network.call(machine, node.machine, how, async (peerSignal) => perform(node, peerSignal));
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      if (!error.mayHaveArrived) throw new PeerUnreachableError(error.message, { cause: error });
      throw new ByocError('OUTCOME_UNKNOWN', 'the node that serves the database ended while the request ran', {
        cause: error,
      });
    } finally {
      signal?.removeEventListener('abort', abort);
      underWay.delete(controller);
    }
  }
}
