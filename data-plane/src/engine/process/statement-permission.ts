import { EngineError } from '../adapters/adapter.js';
import type { Connection } from './connection.js';
import type { RequestContext } from './request-context.js';
import { tableRights } from './table-rights.js';
import { ByocError } from '../../errors/catalogue.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';

export interface StatementSituation {
  /** The request came with a token that may only read. */
  readonly readOnlyRequest: boolean;
  /** The session has a write transaction open, begun by this request or an earlier one. */
  readonly holdsWriteLock: boolean;
  /** The open transaction was begun with BEGIN TRANSACTION READONLY. */
  readonly readOnlyTransaction: boolean;
}

/** True when the statement may write and therefore runs under the database's write lock. */
export function needsWriteLock(plan: StatementPlan): boolean {
  return plan.transactionControl === 'begin-write' || (plan.transactionControl === null && !plan.isReadOnly);
}

/**
 * Throws BLOCKED when a read-only request would write, or would settle what a read-write request has written in the
 * same stream (rolling back is allowed: dropping the stream does the same); SQLITE_READONLY for a write in a read-only
 * transaction.
 */
export function checkPermission(plan: StatementPlan, situation: StatementSituation): void {
  const control = plan.transactionControl;
  const writes = needsWriteLock(plan);
  const settlesWrites = control === 'commit' || control === 'release' || control === 'rollback-to';
  if (situation.readOnlyRequest && (writes || (settlesWrites && situation.holdsWriteLock))) {
    throw new ByocError(
      'BLOCKED',
      'SQL write operations are forbidden: the token is read-only, or writes to the database are blocked',
    );
  }
  if (writes && situation.readOnlyTransaction) {
    throw new EngineError('SQLITE_READONLY', 'attempt to write in a read-only transaction');
  }
}

/** Throws SQLITE_AUTH when the statement does more with tables than the token of the request permits. */
export function checkTables(connection: Connection, sql: string, { restrictions }: RequestContext): void {
  if (restrictions?.permissions) tableRights(restrictions.permissions).check(connection.uses(sql));
}
