import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import type { NodeAddress } from '../ownership/node-record.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';
import type { DatabaseDescription, NewDatabase, DatabaseRequest, SqlResponse } from './database-service.js';
import type { WrappingChange } from './change-wrapping.js';
import type { FileAnswer, FileRequest } from './file-request.js';
import type { EncryptionState } from './encryption-state.js';
import type { HoldChange, HoldState } from './hold-database.js';
import type { RekeyRequest } from './rekey-database.js';
import type { DumpSeed } from './seed-from-dump.js';
import type { ShredRequest } from './shred-database.js';

/** Another node, where it serves. A later epoch may serve at the same address. */
export interface Peer {
  readonly epoch: NodeEpoch;
  readonly address: NodeAddress;
}

/** What the nodes of a deployment ask of each other. */
export interface Peers {
  /**
   * Runs a request on `peer`, which admits it anew, as from the client. Throws `PeerUnreachableError`;
   * `DATABASE_MOVED`, `SHUTTING_DOWN` or `NOT_READY` when the node did not take it (nothing of it has taken effect then);
   * `OUTCOME_UNKNOWN` when the connection broke after the request was sent.
   */
  execute(peer: Peer, request: DatabaseRequest): Promise<SqlResponse>;
  /** Serves a request for the file of a database on the node that owns it. Throws as `execute`. */
  serveFile(peer: Peer, request: FileRequest): Promise<FileAnswer>;
  /** Makes a branch on the node that owns the parent. Throws as `execute`, and what the other node throws. */
  branch(peer: Peer, child: NewDatabase): Promise<DatabaseDescription>;
  /** Deletes a database on the node that owns it. Throws as `execute`. */
  delete(peer: Peer, id: DatabaseId): Promise<void>;
  /** Collects the garbage of a database on the node that owns it. Throws as `execute`, and what the other node throws. */
  collect(peer: Peer, id: DatabaseId): Promise<void>;
  /** Rewraps the data keys of a database on the node that owns it. Throws as `collect`. */
  rewrap(peer: Peer, id: DatabaseId, keyId: string): Promise<boolean>;
  /** Gives a database another data key, on the node that owns it. Throws as `collect`. */
  rekey(peer: Peer, id: DatabaseId, request: RekeyRequest): Promise<EncryptionState>;
  /** Has the data keys of a database wrapped by somebody else's key, on the node that owns it. Throws as `collect`. */
  changeWrapping(peer: Peer, id: DatabaseId, change: WrappingChange): Promise<EncryptionState>;
  /** Destroys what wraps the data keys of a deleted database, on the node that owns it. Throws as `collect`. */
  shred(peer: Peer, id: DatabaseId, request: ShredRequest): Promise<ShredCertificate>;
  /** Places or releases a legal hold, on the node that owns the database. Throws as `collect`. */
  changeHold(peer: Peer, id: DatabaseId, change: HoldChange): Promise<HoldState>;
  /** Lets a database begin as a dump, on the node that owns it. Throws as `collect`. */
  loadDump(peer: Peer, id: DatabaseId, seed: DumpSeed): Promise<void>;
  /** What the other node has in memory of the statements of a database. Throws as `collect`. */
  topStatements(peer: Peer, id: DatabaseId, sinceMs: number): Promise<ShapedCosts[]>;
  /** Gives up what is under way to an epoch that has ended: it will not answer. */
  abandon(epoch: NodeEpoch): void;
}

/** The node could not be reached: it certainly did nothing. */
export class PeerUnreachableError extends Error {
  override readonly name = 'PeerUnreachableError';
}
