/** What is required of a request in every encoding. Everything here throws MALFORMED_REQUEST. */
import { ByocError } from '../errors/catalogue.js';
import type { SqlText, StreamRequest } from './protocol.js';

/** Deeper conditions are refused: they are evaluated by recursion. */
const maxConditionDepth = 100;

export function checkConditionDepth(depth: number): void {
  if (depth > maxConditionDepth) {
    throw new ByocError('MALFORMED_REQUEST', `a batch condition may be nested ${maxConditionDepth} deep`);
  }
}

/** A condition looks back: `step` must be the index of a step before `ownStep`. */
export function checkEarlierStep(step: number, ownStep: number, path: string): void {
  if (step < 0 || step >= ownStep) {
    throw new ByocError('MALFORMED_REQUEST', `${path} must be the index of an earlier step`);
  }
}

export function checkCloseIsLast(requests: readonly StreamRequest[]): void {
  const close = requests.findIndex((request) => request.type === 'close');
  if (close >= 0 && close !== requests.length - 1) {
    throw new ByocError('MALFORMED_REQUEST', `requests[${close}]: "close" must be the last request`);
  }
}

/** Exactly one of the two. */
export function sqlText(sql: string | undefined, sqlId: number | undefined, path: string): SqlText {
  if (sql !== undefined && sqlId === undefined) return { sql };
  if (sql === undefined && sqlId !== undefined) return { sqlId };
  throw new ByocError('MALFORMED_REQUEST', `${path} must have either "sql" or "sql_id"`);
}
