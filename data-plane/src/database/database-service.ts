/**
 * What the server asks of the databases. The HTTP face depends on this interface only, never on storage or engines.
 */
import type { DatabaseId, EngineName } from '../identity.js';
import type { ClientOrigin } from '../auth/client-origin.js';
import type { RequestKind, Restrictions } from '../engine/ipc/messages.js';
import type { CipherName } from '../keys/ciphers.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import type { LegalHold } from '../storage/legal-hold.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import type { WrappingChange } from './change-wrapping.js';
import type { FileAnswer, FileRequest } from './file-request.js';
import type { EncryptionState } from './encryption-state.js';
import type { HoldChange, HoldState } from './hold-database.js';
import type { RekeyRequest } from './rekey-database.js';
import type { DumpSeed } from './seed-from-dump.js';
import type { ShredRequest } from './shred-database.js';

/** What is known of a database without opening it. */
export interface DatabaseDescription {
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  readonly createdAtMs: number;
  /** The key of the key service that wraps its data key; absent when its client holds that key. */
  readonly keyId?: string;
  /** The cipher that was declared for it; present when its client holds the key that wraps its data key. */
  readonly encryptionCipher?: CipherName;
  /** The database that it is a branch of, under the name that had then. */
  readonly parent?: { readonly id: DatabaseId; readonly name: string; readonly branchedAtMs: number };
  /** It was created for a file that it does not have yet. */
  readonly awaitsFile?: boolean;
}

/** A database, or what is left of one. */
export interface InventoryEntry extends DatabaseDescription {
  /** Of one that was deleted. */
  readonly deletedAtMs?: number;
  /** Legal holds that it is under; absent when there is none. */
  readonly holds?: readonly LegalHold[];
}

/** What is asked of a database: of its engine, or of what the store holds of it. */
export type DatabaseRequestKind = RequestKind | StorageRequestKind;

/** Requests that are answered from the store. */
export const storageRequestKinds = ['pull-updates'] as const;
export type StorageRequestKind = (typeof storageRequestKinds)[number];

export interface DatabaseRequest {
  readonly kind: DatabaseRequestKind;
  readonly readOnly: boolean;
  /** What it may do less than that. */
  readonly restrictions?: Restrictions | undefined;
  readonly body: Buffer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** What another node needs to admit the request as this one did. */
  readonly admission: Admission;
  /** Passed on by another node. */
  readonly isForwarded: boolean;
  /** What whoever sent it calls it; the other nodes that it is passed on to are told. */
  readonly requestId?: string | undefined;
  /** What shows the work for it; absent when it is not traced. */
  readonly trace?: TraceSpan | undefined;
  /** What the client sent of a key that it holds. */
  readonly clientKey?: PresentedKey | undefined;
}

/** A request that an engine process runs. */
export interface SqlRequest extends DatabaseRequest {
  readonly kind: RequestKind;
}

/** How a client named the database and proved its right. */
export interface Admission {
  /** `<database>-<organization>`. */
  readonly label: string;
  /** The `Authorization` header. */
  readonly authorization: string;
  /** Where the client is. */
  readonly client?: () => ClientOrigin;
}

/** An answer whose every byte depends only on durable commits. */
export interface SqlResponse {
  /** 200, or 4xx with an error body in JSON. */
  readonly status: number;
  /** A whole body, or the parts of a streamed one (cursor) in order; taking a part gives the engine credit for the next. */
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** What another node that refused the request calls it. */
  readonly requestId?: string | undefined;
}

export interface NewDatabase {
  /** Chosen by the caller, so that a repeated call creates nothing new. */
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  /** The key of the key service that is to wrap its data key. @default of a branch the parent's, else the deployment's */
  readonly keyId?: string;
  /**
   * A key that the client holds is to wrap its data key. A branch of such a database needs the key of its parent, and has
   * its cipher; any other database needs a cipher.
   */
  readonly encryption?: NewClientKey;
  /** It is to begin as a file that is uploaded, and takes nothing else before. */
  readonly awaitsFile?: boolean;
  /** Begin as another database is, or was at a time (the last commit at or before it; milliseconds since 1970). */
  readonly branch?: { readonly parent: DatabaseId; readonly timeMs?: number };
}

export interface NewClientKey {
  /** Base64. */
  readonly key: string;
  readonly cipher?: CipherName;
}

export interface Forwarding {
  /** Another node found that this one is the owner; it is not asked again where the database is. */
  readonly isForwarded?: boolean;
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
  /** Databases that there are or were, in an order that is always the same, after the one with the id `after`. */
  inventory(after: DatabaseId | undefined, limit: number): Promise<InventoryEntry[]>;
  /** How large the database's file is in the store; 0 while nothing was folded. Throws `DATABASE_NOT_FOUND`. */
  storedBytes(id: DatabaseId): Promise<number>;
  /**
   * The statements of a database that cost most since a time, without values in them, as the node that owns it has it in
   * memory: nothing of the time before it owned it. Never opens the database.
   */
  topStatements(id: DatabaseId, sinceMs: number, options?: Forwarding): Promise<ShapedCosts[]>;
  /** Keeps a chunk of a dump for a database that is to be created. Throws `STORE_UNAVAILABLE`. */
  stageDump(dump: string, chunk: number, key: Buffer, content: Buffer): Promise<void>;
  /** Removes a dump that no database will begin as; nothing when it is not there. Throws `STORE_UNAVAILABLE`. */
  removeDump(dump: string): Promise<void>;
  /** Lets a database that awaits a file begin as a dump. Throws as `seedFromDump`. */
  loadDump(id: DatabaseId, seed: DumpSeed, options?: Forwarding): Promise<void>;
  /** Opens the database if need be, runs the request, and resolves when its answer may leave. Throws `ByocError`. */
  execute(id: DatabaseId, request: DatabaseRequest): Promise<SqlResponse>;
  /**
   * Serves a request for the file of a database; of one that awaits its file without opening it. Throws `ByocError`.
   */
  serveFile(id: DatabaseId, request: FileRequest): Promise<FileAnswer>;
  /**
   * Creates a database; returns the existing one when the same id and name were created before. Throws `DATABASE_EXISTS`,
   * `KEY_ID_INVALID`, `KEY_REVOKED`, `KEY_UNAVAILABLE`, the `ENCRYPTION_…` errors;
   * for a branch, which the owner of the parent makes, `DATABASE_NOT_FOUND` (the parent), `BRANCH_REFUSED` and
   * `RESTORE_POINT_NOT_FOUND`.
   */
  create(database: NewDatabase, options?: Forwarding): Promise<DatabaseDescription>;
  /**
   * Deletes a database; deleting one that is gone succeeds. The owner does it; `isForwarded`: another node found that this
   * one is the owner. Throws `DATABASE_HELD`.
   */
  delete(id: DatabaseId, options?: Forwarding): Promise<void>;
  /**
   * Brings a deleted database back, under a new name if one is given. Throws `DATABASE_NOT_FOUND`, `UNDELETE_EXPIRED`,
   * `DATABASE_EXISTS` when another one has the name.
   */
  undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription>;
  /**
   * Deletes what the database needs no more: history beyond what is kept, content that can no longer be brought back, what
   * crashes left. Throws `DATABASE_NOT_FOUND`, and the errors of the store.
   */
  collect(id: DatabaseId, options?: { readonly isForwarded?: boolean }): Promise<void>;
  /**
   * Gives a database another data key, and seals what it has anew, in part now and the rest in the background. Returns what
   * it is encrypted with then; the same call again tells how far it has come, and goes on where nothing else does. Throws
   * `DATABASE_NOT_FOUND`, `REKEY_REFUSED`, the key errors, and the errors of the store.
   */
  rekey(id: DatabaseId, request: RekeyRequest, options?: Forwarding): Promise<EncryptionState>;
  /**
   * Changes who holds the key that wraps the data keys of a database: the key service, its client, or another key of the same
   * client. Requests are admitted by the new key from then on. Throws `DATABASE_NOT_FOUND`, the `ENCRYPTION_…` errors when the
   * call does not bring the present key of the client, the key errors, and the errors of the store.
   */
  changeWrapping(id: DatabaseId, change: WrappingChange, options?: Forwarding): Promise<EncryptionState>;
  /** What a database is encrypted with, and why each of its data keys is there. Throws `DATABASE_NOT_FOUND`. */
  encryption(id: DatabaseId): Promise<EncryptionState>;
  /**
   * Destroys what wraps the data keys of a deleted database, whether or not it could still be brought back, then its
   * content. Throws `DATABASE_NOT_FOUND`, `SHRED_REFUSED` when it is not deleted, and the errors of the store; then the
   * same call again goes on with it.
   */
  shred(id: DatabaseId, request: ShredRequest, options?: Forwarding): Promise<ShredCertificate>;
  /** What certifies that it was done, at whoever's wish. Throws `CERTIFICATE_NOT_FOUND`. */
  certificate(id: DatabaseId): Promise<ShredCertificate>;
  /**
   * Places or releases a legal hold of a database, a deleted one included; the same call again changes nothing. Throws
   * `DATABASE_NOT_FOUND`, `HOLD_REFUSED` when what is to be held is gone, and the errors of the store.
   */
  changeHold(id: DatabaseId, change: HoldChange, options?: Forwarding): Promise<HoldState>;
  /** The legal holds of a database, those that were released included. Throws `DATABASE_NOT_FOUND`. */
  holds(id: DatabaseId): Promise<HoldState>;
  /**
   * Wraps the data keys of a database by another key of the key service, while it is used; also of one that was deleted.
   * Whether that changed anything: running it again is safe. Throws `DATABASE_NOT_FOUND`, `KEY_HELD_BY_CLIENT`, the key
   * errors, and the errors of the store.
   */
  rewrap(id: DatabaseId, keyId: string, options?: { readonly isForwarded?: boolean }): Promise<boolean>;
}
