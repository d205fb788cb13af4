/**
 * The libSQL engine (npm `libsql`, pinned): complete SQLite with vectors and full-text search.
 *
 * Invariant: no statement of a connection stays active after its caller is done with it. An active statement pins a read
 * transaction, makes COMMIT fail with "SQL statements in progress", and, when it is a write or an EXPLAIN of a write, silently
 * keeps later autocommit writes from committing. The binding resets statements only at garbage collection, so this adapter
 * does it: reads that are left early are interrupted, writes that return rows are run to their end, and an EXPLAIN, which
 * SQLite leaves active even at its end, is reset by the binding's `get`.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { changesRows, mainVerb } from '../sql-gate/main-verb.js';
import {
  EngineError,
  type ColumnInfo,
  type EngineAdapter,
  type EngineConnection,
  type EngineStatement,
  type OpenOptions,
  type RunResult,
  type SqlValue,
} from './adapter.js';
import { isErrorLike } from './error-like.js';
import { LibsqlRows, type NativeCursor } from './libsql-rows.js';
import { checkIntegerRange, engineError, extendedCodeName, primaryCodeName } from './result-codes.js';

/** What we use of a native statement; the package's own types describe another library. */
export interface NativeStatement {
  readonly reader: boolean;
  raw(): NativeStatement;
  safeIntegers(on: boolean): NativeStatement;
  columns(): { name: string; type: string | null }[];
  run(parameters: readonly SqlValue[]): { changes: number; lastInsertRowid: number };
  get(parameters: readonly SqlValue[]): SqlValue[] | undefined;
  iterate(parameters: readonly SqlValue[]): NativeCursor;
}

interface NativeDatabase {
  readonly inTransaction: boolean;
  prepare(sql: string): NativeStatement;
  exec(sql: string): void;
  interrupt(): void;
  close(): void;
}

/** A full WAL or temporary file needs less room than this, so with more of it free SQLITE_FULL means the page limit. */
const diskFullBelowBytes = 64 * 1024 * 1024;

const connectionSettings = (maxPages: number): string => `
  PRAGMA journal_mode = wal;
  PRAGMA synchronous = off;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA temp_store = memory;
  PRAGMA cache_size = -256;
  PRAGMA trusted_schema = off;
  PRAGMA busy_timeout = 0;
  PRAGMA max_page_count = ${maxPages};
`;

export const libsqlAdapter: EngineAdapter = {
  name: 'libsql',
  open: (path, options) => new LibsqlConnection(path, options),
  checkpoint(connection) {
    const [row] = connection.prepare('PRAGMA wal_checkpoint(TRUNCATE)').rows([]);
    return row?.[0] === 0n;
  },
};

class LibsqlConnection implements EngineConnection {
  private readonly database: NativeDatabase;
  private readonly changeCounter: NativeStatement;
  private readonly totalCounter: NativeStatement;
  private readonly schemaVersion: NativeStatement;
  private readonly schemaReader: NativeStatement;
  private readonly openRows = new Set<LibsqlRows>();
  private lastVerb = '';
  private maxPages: number;

  constructor(
    private readonly path: string,
    options: OpenOptions,
  ) {
    this.database = this.guard(() => new Database(path) as unknown as NativeDatabase);
    this.maxPages = options.maxPages;
    this.guard(() => this.database.exec(connectionSettings(options.maxPages)));
    const prepare = (sql: string): NativeStatement =>
      this.guard(() => this.database.prepare(sql).raw().safeIntegers(true));
    this.changeCounter = prepare('SELECT changes(), last_insert_rowid()');
    this.totalCounter = prepare('SELECT total_changes()');
    this.schemaVersion = prepare('PRAGMA schema_version');
    this.schemaReader = prepare('SELECT 1 FROM sqlite_schema LIMIT 1');
  }

  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  prepare(sql: string): EngineStatement {
    return new LibsqlStatement(this, sql);
  }

  exec(sql: string): void {
    this.guard(() => this.database.exec(sql));
  }

  limitPages(maxPages: number): void {
    if (maxPages === this.maxPages) return;
    this.exec(`PRAGMA max_page_count = ${maxPages}`);
    this.maxPages = maxPages;
  }

  lastChange(): RunResult {
    const [changes, lastInsertRowid] = this.guard(() => this.changeCounter.get([])) ?? [];
    return {
      changes: changesRows(this.lastVerb) ? Number(changes ?? 0n) : 0,
      lastInsertRowid: typeof lastInsertRowid === 'bigint' ? lastInsertRowid : 0n,
    };
  }

  totalChanges(): number {
    return Number(this.guard(() => this.totalCounter.get([]))?.[0] ?? 0n);
  }

  close(): void {
    for (const rows of this.openRows) rows.release();
    this.guard(() => this.database.close());
  }

  /** Compiles a statement natively. */
  compile(sql: string): NativeStatement {
    const statement = this.guard(() => this.database.prepare(sql));
    return statement.reader ? statement.raw().safeIntegers(true) : statement;
  }

  /** The schema's version number; reading it takes about a microsecond. */
  currentSchemaVersion(): SqlValue {
    return this.guard(() => this.schemaVersion.get([]))?.[0] ?? null;
  }

  /** Makes the engine read a schema that another connection changed; compiling alone would still use the old one. */
  refreshSchema(): void {
    this.guard(() => this.schemaReader.get([]));
  }

  /** Remembers what ran last: SQLite's change count survives statements that change no rows. */
  ran(verb: string): void {
    this.lastVerb = verb;
  }

  track(rows: LibsqlRows): void {
    this.openRows.add(rows);
  }

  untrack(rows: LibsqlRows): void {
    this.openRows.delete(rows);
  }

  /** Makes the one active read statement fail at its next step. False when another one would fail too. */
  interruptOnly(rows: LibsqlRows): boolean {
    if (this.openRows.size > 1 || !this.openRows.has(rows)) return false;
    this.database.interrupt();
    return true;
  }

  /** Runs a native call and translates its errors. */
  guard<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw this.translate(error);
    }
  }

  private translate(error: unknown): unknown {
    if (!isErrorLike(error) || error instanceof EngineError) return error;
    const { code, rawCode } = error as { code?: unknown; rawCode?: unknown };
    if (typeof code === 'string' && typeof rawCode === 'number') {
      const primary = primaryCodeName(rawCode);
      const extended = extendedCodeName(rawCode, code);
      if (primary === 'SQLITE_FULL') return engineError(primary, error.message, extended, this.isDiskFull());
      return engineError(primary, error.message, extended);
    }
    const openFailure = /^ConnectionFailed\(.*: (\d+)"\)/su.exec(error.message);
    if (openFailure !== null)
      return engineError(primaryCodeName(Number(openFailure[1])), 'unable to open database file');
    if (error.message === 'The database connection is not open') return engineError('SQLITE_MISUSE', error.message);
    return error;
  }

  private isDiskFull(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.path));
    return bavail * bsize < diskFullBelowBytes;
  }
}

class LibsqlStatement implements EngineStatement {
  private native: NativeStatement;
  /** Asking the binding costs a native call each time. */
  private isReader: boolean;
  private readonly verb: string;
  private schemaVersion: SqlValue | undefined;
  /** The most values that a run has bound. */
  private bound = 0;
  /** The size of the largest row that a run has brought; undefined before there was one. */
  private largestRowBytes: number | undefined;

  constructor(
    private readonly connection: LibsqlConnection,
    private readonly sql: string,
  ) {
    this.native = connection.compile(sql);
    this.isReader = this.native.reader;
    this.verb = mainVerb(sql);
  }

  /** The binding learns of a changed schema only when the statement runs, so ask first. */
  columns(): ColumnInfo[] {
    if (!this.isReader) return [];
    const version = this.connection.currentSchemaVersion();
    if (this.schemaVersion !== undefined && version !== this.schemaVersion) {
      this.connection.refreshSchema();
      this.native = this.connection.compile(this.sql);
      this.isReader = this.native.reader;
    }
    this.schemaVersion = version;
    return this.native.columns().map(({ name, type }) => ({ name, declaredType: type }));
  }

  run(parameters: readonly SqlValue[]): RunResult {
    if (this.isReader) {
      drain(this.rows(parameters));
      return this.connection.lastChange();
    }
    const values = this.toBind(parameters);
    const result = this.connection.guard(() => this.native.run(values));
    this.connection.ran(this.verb);
    // The binding hands the rowid out as a double.
    if (!Number.isSafeInteger(result.lastInsertRowid)) return this.connection.lastChange();
    return { changes: changesRows(this.verb) ? result.changes : 0, lastInsertRowid: BigInt(result.lastInsertRowid) };
  }

  rows(parameters: readonly SqlValue[]): IterableIterator<SqlValue[]> {
    if (!this.isReader) {
      this.run(parameters);
      return [].values();
    }
    const values = this.toBind(parameters);
    this.connection.ran(this.verb);
    const { connection, native, verb } = this;
    const rows: LibsqlRows = new LibsqlRows(
      connection.guard(() => native.iterate(values)),
      (call) => connection.guard(call),
      this.largestRowBytes,
      (finished) => {
        this.largestRowBytes = Math.max(this.largestRowBytes ?? 0, rows.largestRowBytes);
        // An EXPLAIN stays active at its end; one more `get` runs its first row again, which costs nothing, and resets it.
        if (verb === 'explain') native.get(values);
        else if (!finished && (changesRows(verb) || !connection.interruptOnly(rows))) rows.drain();
        else if (!finished) rows.absorbInterrupt();
        connection.untrack(rows);
      },
    );
    connection.track(rows);
    return rows;
  }

  private toBind(parameters: readonly SqlValue[]): readonly SqlValue[] {
    const values = checked(parameters, this.bound);
    this.bound = values.length;
    return values;
  }
}

function drain(rows: Iterator<unknown>): void {
  while (rows.next().done !== true);
}

/** Exactly `count` values at least: the binding keeps what an earlier run bound to parameters that are missing now. */
function checked(parameters: readonly SqlValue[], count: number): readonly SqlValue[] {
  for (const value of parameters) if (typeof value === 'bigint') checkIntegerRange(value);
  if (parameters.length >= count) return parameters;
  return [...parameters, ...new Array<null>(count - parameters.length).fill(null)];
}
