import type { ColumnInfo, EngineConnection, EngineStatement } from '../adapters/adapter.js';
import { changesRows, mainVerb } from '../sql-gate/main-verb.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { StatementGate } from './statement-gate.js';

/** Prepared statements kept by one connection. */
const cachedStatements = 64;
/** Longer texts are not worth keeping: they are rarely repeated and the cache must stay small. */
const longestCachedSql = 4096;

const connectionState = /\b(?:last_insert_rowid|changes|total_changes)\s*\(/i;
export interface PreparedStatement {
  readonly plan: StatementPlan;
  readonly statement: EngineStatement;
  readonly columns: readonly ColumnInfo[];
  /** The statement may look at what an earlier statement left in its connection, such as the last rowid. */
  readonly readsConnectionState: boolean;
  /** INSERT, UPDATE, DELETE and the like: the number of changed rows means something. */
  readonly changesRows: boolean;
  /** INSERT: the last rowid means something. */
  readonly inserts: boolean;
}

/** One engine connection with its prepared statements. */
export class Connection {
  readonly engine: EngineConnection;
  readonly #sharedGate: StatementGate;
  #gate: StatementGate;
  #statements = new Map<string, PreparedStatement>();
  #schemaVersion = 0;
  /** The session whose statement changed data through this connection last. */
  lastWriter: object | undefined;

  constructor(engine: EngineConnection, gate: StatementGate) {
    this.engine = engine;
    this.#sharedGate = gate;
    this.#gate = gate;
  }

  /**
   * The statement prepared, from the cache when the schema is still that of `schemaVersion`. Throws what the gate and
   * the engine throw.
   */
  prepare(sql: string, schemaVersion: number): PreparedStatement {
    if (schemaVersion !== this.#schemaVersion) {
      this.#schemaVersion = schemaVersion;
      this.forgetStatements();
    }
    const cached = this.#statements.get(sql);
    if (cached) {
      if (this.#statements.size === cachedStatements) {
        this.#statements.delete(sql);
        this.#statements.set(sql, cached);
      }
      return cached;
    }
    const plan = this.#gate.plan(sql, this.engine);
    const statement = this.engine.prepare(plan.sql);
    const verb = plan.isReadOnly ? '' : mainVerb(plan.sql);
    const prepared: PreparedStatement = {
      plan,
      statement,
      columns: statement.columns(),
      readsConnectionState: connectionState.test(plan.sql),
      changesRows: changesRows(verb),
      inserts: verb === 'insert' || verb === 'replace',
    };
    if (sql.length <= longestCachedSql) {
      if (this.#statements.size >= cachedStatements) {
        const [oldest] = this.#statements.keys();
        if (oldest !== undefined) this.#statements.delete(oldest);
      }
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }

  /** Drops a statement that was not stepped to its end, so that nobody steps it further. */
  forget(sql: string): void {
    this.#statements.delete(sql);
  }

  forgetStatements(): void {
    if (this.#statements.size > 0) this.#statements = new Map();
  }

  /**
   * From now on this connection sees a schema that others do not (TEMP objects, an open transaction that changed it):
   * its statements are judged by a gate of its own.
   */
  isolate(newGate: () => StatementGate): void {
    this.forgetStatements();
    if (this.#gate === this.#sharedGate) this.#gate = newGate();
    else this.#gate.invalidate();
  }

  /** Ends `isolate`. */
  share(): void {
    if (this.#gate === this.#sharedGate) return;
    this.forgetStatements();
    this.#gate = this.#sharedGate;
  }
}
