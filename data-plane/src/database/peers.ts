import type { DatabaseId } from '../identity.js';
import type { NodeAddress } from '../ownership/node-record.js';
import type { DatabaseDescription, NewDatabase, SqlRequest, SqlResponse } from './database-service.js';

/** What the nodes of a deployment ask of each other. */
export interface Peers {
  /**
   * Runs a request on the node at `address`, which admits it anew, as from the client. Throws `PeerUnreachableError`;
   * `DATABASE_MOVED`, `SHUTTING_DOWN` or `NOT_READY` when the node did not take it (nothing of it has taken effect then);
   * `OUTCOME_UNKNOWN` when the connection broke after the request was sent.
   */
  execute(address: NodeAddress, request: SqlRequest): Promise<SqlResponse>;
  /** Makes a branch on the node that owns the parent. Throws as `execute`, and what the other node throws. */
  branch(address: NodeAddress, child: NewDatabase): Promise<DatabaseDescription>;
  /** Deletes a database on the node that owns it. Throws as `execute`. */
  delete(address: NodeAddress, id: DatabaseId): Promise<void>;
  /** Collects the garbage of a database on the node that owns it. Throws as `execute`, and what the other node throws. */
  collect(address: NodeAddress, id: DatabaseId): Promise<void>;
  /** Rewraps the data keys of a database on the node that owns it. Throws as `collect`. */
  rewrap(address: NodeAddress, id: DatabaseId, keyId: string): Promise<boolean>;
  /** Gives up what is under way to a node that has ended: it will not answer. */
  abandon(address: NodeAddress): void;
}

/** The node could not be reached: it certainly did nothing. */
export class PeerUnreachableError extends Error {
  override readonly name = 'PeerUnreachableError';
}
