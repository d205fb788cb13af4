/**
 * The seam between this product and a database engine. Runs inside an engine process only.
 *
 * A statement that reaches an adapter has passed the SQL gate. Everything here is synchronous: the native engines run
 * on the calling thread, so a Promise would only hide that.
 */
import type { EngineName } from '../../identity.js';

/** A SQLite value. A JavaScript `number` is always REAL, a `bigint` always INTEGER, both on the way in and out. */
export type SqlValue = null | bigint | number | string | Uint8Array;

export interface ColumnInfo {
  readonly name: string;
  /** Declared type of the column as written in the schema, or null for an expression. */
  readonly declaredType: string | null;
}

export interface RunResult {
  /** Rows inserted, updated or deleted by the statement itself (0 for a statement that only reads). */
  readonly changes: number;
  readonly lastInsertRowid: bigint;
}

export interface EngineStatement {
  /** Result columns; empty when the statement returns no rows. Current even after a schema change. */
  columns(): ColumnInfo[];
  /** Runs a statement that returns no rows. Throws `EngineError`. */
  run(parameters: readonly SqlValue[]): RunResult;
  /**
   * Steps through the rows, lazily. Leaving the loop early releases the statement's read position as far as the engine
   * allows. Throws `EngineError` from any step.
   */
  rows(parameters: readonly SqlValue[]): IterableIterator<SqlValue[]>;
}

export interface EngineConnection {
  readonly inTransaction: boolean;
  /** Prepares exactly one statement. Throws `EngineError`. */
  prepare(sql: string): EngineStatement;
  /** Sets how many pages the database may grow to from the next statement that writes; one that is larger stays. */
  limitPages(maxPages: number): void;
  /** Runs trusted SQL of our own (pragmas, checkpoints); never tenant SQL. */
  exec(sql: string): void;
  /** Changes and last rowid of this connection after a statement that returned rows (RETURNING). */
  lastChange(): RunResult;
  /** Rows that this connection has inserted, updated and deleted since it was opened, also by triggers and foreign keys. */
  totalChanges(): number;
  /** Closes the connection; files stay. */
  close(): void;
}

export interface OpenOptions {
  /** Upper bound of the database file in 4096-byte pages; the engine answers SQLITE_FULL beyond it. */
  readonly maxPages: number;
}

export interface EngineAdapter {
  readonly name: EngineName;
  /**
   * Opens one more connection to the database file at `path` with the settings every connection has: WAL mode,
   * synchronous off, automatic checkpoints off where the engine can, busy timeout 0, temporary data in memory, a small
   * page cache, foreign keys as the engine's default on Turso Cloud. Throws `EngineError`.
   */
  open(path: string, options: OpenOptions): EngineConnection;
  /**
   * Folds the whole WAL into the database file and truncates it to zero bytes. Returns false, with nothing harmed,
   * when a reader on another connection is in the way.
   */
  checkpoint(connection: EngineConnection): boolean;
}

/** An error the engine reported for a statement or a file. */
export class EngineError extends Error {
  /** Primary result code name, for example `SQLITE_CONSTRAINT`. */
  readonly code: string;
  /** Extended result code name where the engine gives one, for example `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly extendedCode: string | undefined;
  /**
   * True when the local copy of the database must be thrown away and restored (I/O error, disk full, corruption): the
   * engines' own caches cannot be trusted afterwards.
   */
  readonly poisonsDatabase: boolean;

  constructor(code: string, message: string, extendedCode?: string, poisonsDatabase = false) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
    this.extendedCode = extendedCode;
    this.poisonsDatabase = poisonsDatabase;
  }
}
