/**
 * The Turso engine (npm `@tursodatabase/database`, pinned), through the binding's native layer.
 *
 * Invariants:
 * - Every statement is reset as soon as it ended, failed or was left. One that is not keeps its read transaction, and the
 *   next change of the schema then aborts the whole process.
 * - Rows are read in raw mode only: the binding's object rows abort the process when the schema changed under a statement.
 * - Preparing leaks about 2 kB until the connection closes, so the connection is exchanged for a fresh one now and then,
 *   at a moment when nobody can tell.
 */
import { Database } from '@tursodatabase/database/compat';
import { changesRows, mainVerb } from '../sql-gate/main-verb.js';
import type {
  ColumnInfo,
  EngineAdapter,
  EngineConnection,
  EngineStatement,
  OpenOptions,
  RunResult,
  SqlValue,
} from './adapter.js';
import { withRealParameters, wholeRealParameters } from './real-parameters.js';
import { checkIntegerRange, engineError } from './result-codes.js';
import { needsSession } from './session-state.js';
import { guard, stepOnce, type NativeDatabase, type NativeStatement } from './tursodb-native.js';
import { TursodbRows } from './tursodb-rows.js';

/** After so many statements were prepared a connection is exchanged at the next moment that shows nothing. */
const preparesBeforeExchange = 5_000;
/** After so many it is exchanged even though last_insert_rowid() and changes() start again at zero. */
const mostPrepares = 50_000;
/** Variants of one statement for REAL parameters; each is a prepared statement. */
const mostVariants = 8;

const connectionSettings = `
  PRAGMA synchronous = OFF;
  PRAGMA data_sync_retry = 1;
  PRAGMA temp_store = memory;
  PRAGMA cache_size = -256;
`;

/** Statements that make no database larger. */
const harmlessVerbs = new Set([
  'select',
  'values',
  'explain',
  'pragma',
  'begin',
  'commit',
  'end',
  'rollback',
  'savepoint',
  'release',
]);

export const tursodbAdapter: EngineAdapter = {
  name: 'tursodb',
  open: (path, options) => new TursodbConnection(path, options),
  checkpoint(connection) {
    const [row] = connection.prepare('PRAGMA wal_checkpoint(TRUNCATE)').rows([]);
    return row?.[0] === 0n;
  },
};

class TursodbConnection implements EngineConnection {
  /** Counts the exchanges; a statement of an earlier number is prepared again before use. */
  exchange = 0;
  private database: Database | undefined;
  private prepares = 0;
  private readonly openRows = new Set<TursodbRows>();
  private readonly ownStatements = new Map<string, NativeStatement>();
  private hasSession = false;
  private hasChanges = false;
  private maxPages: number;
  /** What the engine was told of it. */
  private toldPages: number | undefined;
  private lastVerb = '';

  constructor(
    private readonly path: string,
    options: OpenOptions,
  ) {
    this.maxPages = options.maxPages;
    this.database = this.connect();
  }

  get inTransaction(): boolean {
    return this.native().inTransaction();
  }

  prepare(sql: string): EngineStatement {
    return new TursodbStatement(this, sql);
  }

  exec(sql: string): void {
    const database = this.opened();
    guard(() => database.exec(sql));
  }

  limitPages(maxPages: number): void {
    this.maxPages = maxPages;
  }

  lastChange(): RunResult {
    const native = this.native();
    const rounded = native.lastInsertRowid();
    return {
      changes: changesRows(this.lastVerb) ? native.changes() : 0,
      // The binding hands the rowid out as a double.
      lastInsertRowid: Number.isSafeInteger(rounded) ? BigInt(rounded) : this.exactRowid(),
    };
  }

  totalChanges(): number {
    return Number(this.readOne('SELECT total_changes()') ?? 0n);
  }

  close(): void {
    for (const rows of this.openRows) rows.release();
    this.database?.close();
    this.database = undefined;
  }

  /** Prepares a statement natively; `verb` is the statement's main verb. */
  compile(sql: string, verb: string): NativeStatement {
    this.exchangeIfWorn(verb);
    this.hasSession ||= needsSession(sql);
    return this.prepareNative(sql);
  }

  /** Remembers what ran last: the engine's change count survives statements that change no rows. */
  ran(verb: string): void {
    this.lastVerb = verb;
    this.hasChanges ||= changesRows(verb);
  }

  /**
   * Sets the page limit before the first statement that may need it: the engine takes the write lock to set it, so a
   * connection that is opened while another one writes could not.
   */
  tellPageLimit(verb: string): void {
    if (this.toldPages === this.maxPages || harmlessVerbs.has(verb)) return;
    this.exec(`PRAGMA max_page_count = ${this.maxPages}`);
    this.toldPages = this.maxPages;
  }

  /** The rows of a statement whose parameters are bound; `changes` says that it must run to its end. */
  start(statement: NativeStatement, changes: boolean): TursodbRows {
    const rows: TursodbRows = new TursodbRows(this.native(), statement, changes, () => this.openRows.delete(rows));
    this.openRows.add(rows);
    return rows;
  }

  currentSchemaVersion(): SqlValue {
    return this.readOne('PRAGMA schema_version');
  }

  private exactRowid(): bigint {
    const rowid = this.readOne('SELECT last_insert_rowid()');
    return typeof rowid === 'bigint' ? rowid : 0n;
  }

  /** The one value that a query of our own gives; its statement is kept until the connection is exchanged. */
  private readOne(sql: string): SqlValue {
    let statement = this.ownStatements.get(sql);
    if (statement === undefined) {
      statement = this.prepareNative(sql);
      this.ownStatements.set(sql, statement);
    }
    const query = statement;
    return guard(() => {
      try {
        return stepOnce(this.native(), query) ? (query.row()[0] ?? null) : null;
      } finally {
        query.reset();
      }
    });
  }

  private prepareNative(sql: string): NativeStatement {
    this.prepares += 1;
    return guard(() => {
      const statement = this.native().prepare(sql);
      statement.raw(true);
      statement.safeIntegers(true);
      return statement;
    });
  }

  private native(): NativeDatabase {
    return (this.opened() as unknown as { readonly db: NativeDatabase }).db;
  }

  private opened(): Database {
    if (this.database === undefined) throw engineError('SQLITE_MISUSE', 'the database connection is not open');
    return this.database;
  }

  private connect(): Database {
    return guard(() => {
      const database = new Database(this.path, { timeout: 0, experimental: ['generated_columns'] });
      database.exec(connectionSettings);
      return database;
    });
  }

  /** The new connection opens before the old one closes, so that the engine keeps the database's shared state. */
  private exchangeIfWorn(verb: string): void {
    if (this.prepares < preparesBeforeExchange || this.hasSession || this.openRows.size > 0 || this.inTransaction)
      return;
    // An INSERT overwrites last_insert_rowid() and changes() anyway; without changes there is nothing to overwrite.
    const nobodyCanTell = !this.hasChanges || verb === 'insert' || verb === 'replace';
    if (!nobodyCanTell && this.prepares < mostPrepares) return;
    const worn = this.database;
    this.database = this.connect();
    this.toldPages = undefined;
    worn?.close();
    this.ownStatements.clear();
    this.exchange += 1;
    this.prepares = 0;
    this.hasChanges = false;
  }
}

class TursodbStatement implements EngineStatement {
  private readonly verb: string;
  private readonly variants = new Map<string, NativeStatement>();
  private exchange: number;
  private original: NativeStatement;
  private schemaVersion: SqlValue | undefined;

  constructor(
    private readonly connection: TursodbConnection,
    private readonly sql: string,
  ) {
    this.verb = mainVerb(sql);
    this.original = connection.compile(sql, this.verb);
    this.exchange = connection.exchange;
  }

  columns(): ColumnInfo[] {
    if (this.current().columns().length === 0) return [];
    const version = this.connection.currentSchemaVersion();
    if (this.schemaVersion !== undefined && version !== this.schemaVersion) this.prepareAgain();
    this.schemaVersion = version;
    return this.current()
      .columns()
      .map(({ name, type }) => ({ name, declaredType: type }));
  }

  run(parameters: readonly SqlValue[]): RunResult {
    const rows = this.rows(parameters);
    while (rows.next().done !== true);
    return this.connection.lastChange();
  }

  rows(parameters: readonly SqlValue[]): IterableIterator<SqlValue[]> {
    const statement = this.statementFor(parameters);
    this.connection.tellPageLimit(this.verb);
    guard(() => statement.reset());
    // Every parameter is bound: values of an earlier run would stand in for missing ones.
    const count = guard(() => statement.parameterCount());
    for (let index = 0; index < count; index += 1) {
      const value = parameters[index] ?? null;
      if (typeof value === 'bigint') checkIntegerRange(value);
      guard(() => statement.bindAt(index + 1, value));
    }
    this.connection.ran(this.verb);
    return this.connection.start(statement, changesRows(this.verb));
  }

  private current(): NativeStatement {
    if (this.exchange !== this.connection.exchange) this.prepareAgain();
    return this.original;
  }

  private prepareAgain(): void {
    this.variants.clear();
    this.original = this.connection.compile(this.sql, this.verb);
    this.exchange = this.connection.exchange;
  }

  private statementFor(parameters: readonly SqlValue[]): NativeStatement {
    const original = this.current();
    const numbers = wholeRealParameters(parameters);
    if (numbers.length === 0) return original;
    const key = numbers.join();
    let variant = this.variants.get(key);
    if (variant === undefined) {
      if (this.variants.size >= mostVariants) this.variants.clear();
      variant = this.connection.compile(withRealParameters(this.sql, numbers), this.verb);
      // Preparing the variant may have exchanged the connection under the original.
      if (this.exchange === this.connection.exchange) this.variants.set(key, variant);
    }
    return variant;
  }
}
