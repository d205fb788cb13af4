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

const connectionSettings = (maxPages: number): string => `
  PRAGMA synchronous = OFF;
  PRAGMA data_sync_retry = 1;
  PRAGMA temp_store = memory;
  PRAGMA cache_size = -256;
  PRAGMA max_page_count = ${maxPages};
`;

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
  private lastVerb = '';

  constructor(
    private readonly path: string,
    private readonly options: OpenOptions,
  ) {
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

  lastChange(): RunResult {
    const native = this.native();
    const rounded = native.lastInsertRowid();
    return {
      changes: changesRows(this.lastVerb) ? native.changes() : 0,
      // The binding hands the rowid out as a double.
      lastInsertRowid: Number.isSafeInteger(rounded) ? BigInt(rounded) : this.exactRowid(),
    };
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

  /** The rows of a statement whose parameters are bound; `changes` says that it must run to its end. */
  start(statement: NativeStatement, changes: boolean): TursodbRows {
    return this.connection.start(statement, changesRows(this.verb));
  }

  private current(): NativeStatement {
    if (this.exchange !== this.connection.exchange) this.prepareAgain();
    return this.original;
  }

  private prepareAgain(): void {
    for (const variant of this.variants.values()) variant.finalize();
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
      const sql = withRealParameters(this.sql, numbers);
      if (this.variants.size >= mostVariants) this.variants.clear();
      variant = this.connection.compile(sql, this.verb);
      // Preparing the variant may have exchanged the connection under the original.
      if (this.exchange === this.connection.exchange) this.variants.set(key, variant);
    }
    return variant;
  }
}
