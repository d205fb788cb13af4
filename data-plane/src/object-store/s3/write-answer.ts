import { OutcomeUnknownError, StoreUnavailableError, type WriteCondition } from '../object-store.js';
import type { FailedRequest } from './failed-request.js';

/**
 * What a refused or failed conditional write means.
 *
 * - `lost`: the condition does not hold. 412; for If-Match also `NoSuchKey`.
 * - `conflict`: 409, S3 met another request for the same key at the same moment and did nothing. That is not yet a lost
 *   race: the other one may have been a deletion, or may fail in its turn. The write can be sent again at once.
 *
 * Throws `StoreUnavailableError` for a write that certainly took no effect and `OutcomeUnknownError` for all others.
 */
export function judgeFailedWrite(error: FailedRequest, condition: WriteCondition): 'lost' | 'conflict' {
  if (error.code === 'PreconditionFailed' || error.status === 412) return 'lost';
  if (error.code === 'NoSuchKey' && 'ifMatch' in condition) return 'lost';
  if (error.code === undefined ? error.status === 409 : conflicts.has(error.code)) return 'conflict';
  if (error.mayHaveTakenEffect) throw new OutcomeUnknownError(error.message, { cause: error });
  throw new StoreUnavailableError(error.message, { cause: error });
}

const conflicts = new Set(['ConditionalRequestConflict', 'OperationAborted']);

/** The headers of a condition, as fields of a command. */
export function conditionFields(condition: WriteCondition): { IfNoneMatch: '*' } | { IfMatch: string } {
  return 'ifMatch' in condition ? { IfMatch: condition.ifMatch } : { IfNoneMatch: '*' };
}
