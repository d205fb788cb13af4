import type { EngineConnection } from '../adapters/adapter.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { TableUse } from '../sql-gate/table-use.js';

/** What an engine process asks of the SQL gate. One gate sees one schema: plans are cached until `invalidate`. */
export interface StatementGate {
  /** Throws `ByocError` for a statement that is refused and `EngineError` for one that does not compile. */
  plan(sql: string, connection: EngineConnection): StatementPlan;
  /**
   * What a statement for which `plan` returned does with which tables, in the schema that `connection` sees. Throws
   * `SQLITE_AUTH` when that cannot be found out.
   */
  uses(sql: string, connection: EngineConnection): readonly TableUse[];
  /** The statements of a text, found as they are asked for. Throws `ByocError`. */
  split(sql: string): Iterable<string>;
  /** To be called when the schema changed. */
  invalidate(): void;
}
