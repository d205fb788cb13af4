/**
 * The size limit of one database. What makes room has to stay possible: a DELETE or DROP may take a few pages more than the limit,
 * for what it writes while it frees others; pages that are free are used again.
 */
import { EngineError } from '../adapters/adapter.js';
import { mainVerb } from '../sql-gate/main-verb.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { Connection } from './connection.js';
import type { RequestContext } from './request-context.js';

const pageBytes = 4096;
/** 1 MiB. */
const deletionPages = 256;

/** To be called before each statement that may write, while the write lock is held. `nodePages`: the most that the node allows. */
export function limitGrowth(
  connection: Connection,
  plan: StatementPlan,
  nodePages: number,
  { restrictions }: RequestContext,
): void {
  const maxPages = restrictions?.maxPages;
  if (maxPages === undefined) {
    connection.engine.limitPages(nodePages);
    return;
  }
  const verb = mainVerb(plan.sql);
  const reserve = verb === 'delete' || verb === 'drop' ? deletionPages : 0;
  connection.engine.limitPages(Math.min(nodePages, maxPages + reserve));
}

/** The same error, with the limit in it when that is what was reached. */
export function sizeLimitError(error: unknown, { restrictions }: RequestContext): unknown {
  const maxPages = restrictions?.maxPages;
  if (maxPages === undefined || !(error instanceof EngineError) || error.code !== 'SQLITE_FULL') return error;
  const limit = maxPages * pageBytes;
  return new EngineError(
    'SQLITE_FULL',
    `${error.message}: the database may not grow beyond its size limit of ${limit} bytes; delete rows, or raise "size_limit"`,
  );
}
