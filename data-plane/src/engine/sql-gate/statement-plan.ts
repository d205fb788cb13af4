/** What the gate knows of one statement that it let through. */
export interface StatementPlan {
  /** The statement's text, without the terminating semicolon and surrounding white space. */
  readonly sql: string;
  /** True when the statement cannot change the database (it may still read it). */
  readonly isReadOnly: boolean;
  /** True for EXPLAIN and EXPLAIN QUERY PLAN. */
  readonly isExplain: boolean;
  /** Parameters in index order; null for an anonymous `?`. Names keep their prefix (`:a`, `@a`, `$a`, `?3`). */
  readonly parameters: readonly (string | null)[];
  /** Set for BEGIN, COMMIT/END, ROLLBACK, SAVEPOINT, RELEASE and ROLLBACK TO. */
  readonly transactionControl:
    | 'begin'
    | 'begin-write' // BEGIN IMMEDIATE, BEGIN EXCLUSIVE, BEGIN CONCURRENT
    | 'begin-readonly' // BEGIN TRANSACTION READONLY
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'release'
    | 'rollback-to'
    | null;
  /** True when the statement changes the schema: cached plans and prepared statements of the database are stale after it. */
  readonly changesSchema: boolean;
  /**
   * True when the statement leaves state in its connection beyond a transaction (TEMP objects, settings): the stream
   * must be kept and the connection must not be given to another client.
   */
  readonly changesSession: boolean;
  /** Set when preparing the statement already changes the database: it is prepared only to be run. It has no columns. */
  readonly takesEffectWhenCompiled?: true;
}
