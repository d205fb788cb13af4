import type { RequestContext } from '../engine/process/request-context.js';
import type { StatementOutcome } from '../engine/process/statement.js';
import type { Task } from '../engine/process/task.js';
import { ByocError } from '../errors/catalogue.js';
import { bindArguments } from './bind-arguments.js';
import type { HranaEncoding } from './encoding.js';
import type { HranaStatement } from './protocol.js';
import type { Stream } from './stream.js';

/** Thrown for a result that does not fit; says what became of the statement. */
export function responseTooLarge(outcome: StatementOutcome | undefined, maxBytes: number): ByocError {
  const effect = outcome && outcome.changes > 0 ? '; what it wrote is not undone' : '';
  return new ByocError('RESPONSE_TOO_LARGE', `the result is larger than ${maxBytes} bytes${effect}`);
}

/**
 * Runs one statement and returns its result, encoded, of at most `maxBytes`. Throws `ByocError` and `EngineError` for
 * errors of the statement, `RequestAbandoned`, `PoisonedError`.
 */
export function* runStatement<Piece>(
  stream: Stream,
  statement: HranaStatement,
  context: RequestContext,
  encoding: HranaEncoding<Piece>,
  maxBytes: number,
): Task<Piece> {
  const sql = stream.storedSql.resolve(statement.text);
  const collector = encoding.collectResult(statement.wantRows, maxBytes);
  const outcome = yield* stream.session.run(
    { sql, bind: (plan) => bindArguments(plan.parameters, statement) },
    context,
    collector,
  );
  if (outcome.truncated) throw responseTooLarge(outcome, maxBytes);
  const result = collector.finish(outcome);
  if (encoding.isLongerThan(result, maxBytes)) throw responseTooLarge(outcome, maxBytes);
  return result;
}
