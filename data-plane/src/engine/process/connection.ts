import type { ColumnInfo, EngineConnection, EngineStatement } from '../adapters/adapter.js';
import { changesRows, mainVerb } from '../sql-gate/main-verb.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { TableUse } from '../sql-gate/table-use.js';
import { schemaNames } from './schema-names.js';
import type { StatementGate } from './statement-gate.js';
import { statementShape } from './statement-shape.js';

/** Prepared statements kept by one connection. */
const cachedStatements = 64;
/** Longer texts are not worth keeping: they are rarely repeated and the cache must stay small. */
const longestCachedSql = 4096;

const pragma = /^\s*pragma\b/i;
const connectionState = /\b(?:last_insert_rowid|changes|total_changes)\s*\(/i;
/** A statement that the gate let through, prepared when it is needed. */
export interface KnownStatement {
  readonly plan: StatementPlan;
  prepared: PreparedStatement | undefined;
}

export interface PreparedStatement {
  readonly statement: EngineStatement;
  readonly columns: readonly ColumnInfo[];
  /** The statement may look at what an earlier statement left in its connection, such as the last rowid. */
  readonly readsConnectionState: boolean;
  /** INSERT, UPDATE, DELETE and the like: the number of changed rows means something. */
  readonly changesRows: boolean;
  /** INSERT: the last rowid means something. */
  readonly inserts: boolean;
  /** DELETE: the rows that it changes are gone. */
  readonly deletes: boolean;
  /** PRAGMA and EXPLAIN: what comes back are no rows of tables. */
  readonly isFreeToRead: boolean;
  /** Its text without values. */
  readonly shape: string;
}

/** One engine connection with the statements it knows. */
export class Connection {
  readonly engine: EngineConnection;
  readonly #sharedGate: StatementGate;
  #gate: StatementGate;
  #statements = new Map<string, KnownStatement>();
  #schemaVersion = 0;
  /** Names in the schema, once a statement made it necessary to know them. */
  #names: ReadonlySet<string> | undefined;
  /** The session whose statement changed data through this connection last. */
  lastWriter: object | undefined;

  constructor(engine: EngineConnection, gate: StatementGate) {
    this.engine = engine;
    this.#sharedGate = gate;
    this.#gate = gate;
  }

  /**
   * What is known of a statement, from the cache while the schema is still that of `schemaVersion`. It is not prepared
   * yet: that may fix the snapshot of an open transaction. Throws what the gate throws.
   */
  know(sql: string, schemaVersion: number): KnownStatement {
    if (schemaVersion !== this.#schemaVersion) this.#refresh(schemaVersion);
    const cached = this.#statements.get(sql);
    if (cached) {
      if (this.#statements.size === cachedStatements) {
        this.#statements.delete(sql);
        this.#statements.set(sql, cached);
      }
      return cached;
    }
    const known: KnownStatement = { plan: this.#gate.plan(sql, this.engine), prepared: undefined };
    if (sql.length <= longestCachedSql) {
      if (this.#statements.size >= cachedStatements) {
        const [oldest] = this.#statements.keys();
        if (oldest !== undefined) this.#statements.delete(oldest);
      }
      this.#statements.set(sql, known);
    }
    return known;
  }

  /** What a known statement does with which tables. Throws `SQLITE_AUTH` when that cannot be found out. */
  uses(sql: string): readonly TableUse[] {
    return this.#gate.uses(sql, this.engine);
  }

  /** Prepares a known statement. Throws `EngineError`. */
  prepare(known: KnownStatement): PreparedStatement {
    if (known.prepared) return known.prepared;
    const { plan } = known;
    const statement = this.engine.prepare(plan.sql);
    const verb = plan.isReadOnly ? '' : mainVerb(plan.sql);
    known.prepared = {
      statement,
      columns: statement.columns(),
      readsConnectionState: connectionState.test(plan.sql),
      changesRows: changesRows(verb),
      inserts: verb === 'insert' || verb === 'replace',
      deletes: verb === 'delete',
      isFreeToRead: plan.isExplain || pragma.test(plan.sql),
      shape: statementShape(plan.sql, (name) => (this.#names ??= schemaNames(this.engine)).has(name)),
    };
    return known.prepared;
  }

  /** Drops a statement that was not stepped to its end, so that nobody steps it further. */
  forget(sql: string): void {
    this.#statements.delete(sql);
  }

  /**
   * From now on this connection sees a schema that others do not (TEMP objects, an open transaction that changed it):
   * its statements are judged by a gate of its own.
   */
  isolate(newGate: () => StatementGate): void {
    this.#forgetAll();
    if (this.#gate === this.#sharedGate) this.#gate = newGate();
    else this.#gate.invalidate();
  }

  /** Ends `isolate`. */
  share(): void {
    if (this.#gate === this.#sharedGate) return;
    this.#forgetAll();
    this.#gate = this.#sharedGate;
  }

  /** Closes the connection; files stay. */
  close(): void {
    this.#forgetAll();
    this.engine.close();
  }

  /**
   * Takes note of a schema that another connection changed. Engines learn of it only when they step a statement, and
   * until then describe the columns of the old one; so one is stepped. Inside a transaction the connection goes on
   * seeing the old schema and has to look again later.
   */
  #refresh(schemaVersion: number): void {
    this.#forgetAll();
    if (this.#gate !== this.#sharedGate) this.#gate.invalidate();
    if (this.engine.inTransaction) return;
    this.engine.exec('SELECT 1 FROM sqlite_schema LIMIT 1');
    this.#schemaVersion = schemaVersion;
  }

  #forgetAll(): void {
    if (this.#statements.size > 0) this.#statements = new Map();
    this.#names = undefined;
  }
}
