/**
 * What the server asks of the databases. The HTTP face depends on this interface only, never on storage or engines.
 */
import type { DatabaseId, EngineName } from '../identity.js';
import type { RequestKind } from '../engine/ipc/messages.js';

/** What is known of a database without opening it. */
export interface DatabaseDescription {
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  readonly createdAtMs: number;
  /** The database that it is a branch of, under the name that had then. */
  readonly parent?: { readonly id: DatabaseId; readonly name: string; readonly branchedAtMs: number };
}

export interface SqlRequest {
  readonly kind: RequestKind;
  readonly readOnly: boolean;
  readonly body: Buffer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** An answer whose every byte depends only on durable commits. */
export interface SqlResponse {
  /** 200, or 4xx with an error body in JSON. */
  readonly status: number;
  /** A whole body, or the parts of a streamed one (cursor) in order; taking a part gives the engine credit for the next. */
  readonly body: Buffer | AsyncIterable<Buffer>;
}

export interface NewDatabase {
  /** Chosen by the caller, so that a repeated call creates nothing new. */
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  /** Begin as another database is, or was at a time (the last commit at or before it; milliseconds since 1970). */
  readonly branch?: { readonly parent: DatabaseId; readonly timeMs?: number };
}

export interface DatabaseService {
  /** The database that has this name now, or undefined. Answers may be a few seconds old only for deletions made through other nodes. */
  find(organization: string, name: string): Promise<DatabaseDescription | undefined>;
  /** The database with this id, or undefined when it never existed or was deleted. */
  describe(id: DatabaseId): Promise<DatabaseDescription | undefined>;
  /** Opens the database if need be, runs the request, and resolves when its answer may leave. Throws `ByocError`. */
  execute(id: DatabaseId, request: SqlRequest): Promise<SqlResponse>;
  /**
   * Creates a database; returns the existing one when the same id and name were created before. Throws `DATABASE_EXISTS`,
   * for a branch `DATABASE_NOT_FOUND` (the parent), `BRANCH_REFUSED` and `RESTORE_POINT_NOT_FOUND`.
   */
  create(database: NewDatabase): Promise<DatabaseDescription>;
  /** Deletes a database; deleting one that is gone succeeds. */
  delete(id: DatabaseId): Promise<void>;
  /**
   * Brings a deleted database back, under a new name if one is given. Throws `DATABASE_NOT_FOUND`, `UNDELETE_EXPIRED`,
   * `DATABASE_EXISTS` when another one has the name.
   */
  undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription>;
}
