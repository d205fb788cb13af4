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
}

export interface SqlRequest {
  readonly kind: RequestKind;
  readonly readOnly: boolean;
  readonly body: Buffer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** What another node needs to admit the request as this one did. */
  readonly admission: Admission;
  /** Passed on by another node. */
  readonly isForwarded: boolean;
}

/** How a client named the database and proved its right. */
export interface Admission {
  /** `<database>-<organization>`. */
  readonly label: string;
  /** The `Authorization` header. */
  readonly authorization: string;
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
}

export interface DatabaseService {
  /**
   * The database that has this name, or undefined. What is remembered may be out of date when the database was deleted
   * through another node; `fresh` asks the store.
   */
  find(
    organization: string,
    name: string,
    options?: { readonly fresh?: boolean },
  ): Promise<DatabaseDescription | undefined>;
  /** The database with this id, or undefined when it never existed or was deleted. */
  describe(id: DatabaseId): Promise<DatabaseDescription | undefined>;
  /** Opens the database if need be, runs the request, and resolves when its answer may leave. Throws `ByocError`. */
  execute(id: DatabaseId, request: SqlRequest): Promise<SqlResponse>;
  /** Creates a database; returns the existing one when the same id and name were created before. Throws `DATABASE_EXISTS`. */
  create(database: NewDatabase): Promise<DatabaseDescription>;
  /**
   * Deletes a database; deleting one that is gone succeeds. The owner does it; `isForwarded`: another node found that this
   * one is the owner.
   */
  delete(id: DatabaseId, options?: { readonly isForwarded?: boolean }): Promise<void>;
}
