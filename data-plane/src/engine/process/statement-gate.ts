import type { EngineConnection } from '../adapters/adapter.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';

/** What an engine process asks of the SQL gate. One gate sees one schema: plans are cached until `invalidate`. */
export interface StatementGate {
  /** Throws `ByocError` for a statement that is refused and `EngineError` for one that does not compile. */
  plan(sql: string, connection: EngineConnection): StatementPlan;
  /** The statements of a text, found as they are asked for. Throws `ByocError`. */
  split(sql: string): Iterable<string>;
  /** To be called when the schema changed. */
  invalidate(): void;
}
