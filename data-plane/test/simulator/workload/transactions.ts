/** The ways in which clients run transactions, and how what comes of them enters the history. */
import type { DatabaseHistory } from '../check/database-history.js';
import type { ModelOperation, ModelResult } from '../engine/model-protocol.js';
import { isDataOperation, type DataOperation } from '../engine/operations.js';
import type { Client, Outcome } from './client.js';

/** Results of a transaction that committed, or why there are none. */
export type Done = { readonly results: readonly ModelResult[] } | Exclude<Outcome, { kind: 'answered' }>;

/** One operation as a transaction of its own, in one request. */
export async function runAlone(client: Client, history: DatabaseHistory, operation: DataOperation): Promise<Done> {
  const call = history.calls();
  const outcome = await client.request(history, call, { baton: null, operations: [operation], close: true });
  if (outcome.kind === 'unknown') {
    client.recordUnknown(history, { operations: [operation], results: [], isCommitted: true }, call.called);
  }
  if (outcome.kind !== 'answered') return outcome;
  const { results } = outcome.answer;
  const [result] = results;
  // Some errors tell of the data, and count as an answer; with the others the engine refused before it looked.
  if (result && 'error' in result && result.error !== 'NO_ACCOUNT' && result.error !== 'FULL')
    return { kind: 'failed', why: result.error };
  outcome.history.record({ operations: [operation], results, isCommitted: true }, call.called, outcome.returned);
  return { results };
}

/** Several operations in one request, each a transaction of its own. */
export async function runInTurn(
  client: Client,
  history: DatabaseHistory,
  operations: readonly DataOperation[],
): Promise<Done> {
  const call = history.calls();
  const outcome = await client.request(history, call, { baton: null, operations, close: true });
  if (outcome.kind === 'unknown') {
    for (const operation of operations) {
      client.recordUnknown(history, { operations: [operation], results: [], isCommitted: true }, call.called);
    }
  }
  if (outcome.kind !== 'answered') return outcome;
  const { results } = outcome.answer;
  for (const [index, result] of results.entries()) {
    const operation = operations[index];
    if (!operation || ('error' in result && result.error !== 'FULL')) break;
    const transaction = { operations: [operation], results: [result], isCommitted: true };
    outcome.history.record(transaction, call.called, outcome.returned);
  }
  return { results };
}

/** Several operations as one transaction, in one request. */
export async function runTogether(
  client: Client,
  history: DatabaseHistory,
  operations: readonly DataOperation[],
): Promise<Done> {
  const call = history.calls();
  const outcome = await client.request(history, call, {
    baton: null,
    operations: [{ op: 'begin' }, ...operations, { op: 'commit' }],
    close: true,
  });
  if (outcome.kind === 'unknown') {
    client.recordUnknown(history, { operations, results: [], isCommitted: true }, call.called);
  }
  if (outcome.kind !== 'answered') return outcome;
  const results = outcome.answer.results.slice(1, 1 + operations.length);
  const isCommitted = outcome.answer.results.length === operations.length + 2;
  const performed = operations.slice(0, results.length);
  if (performed.length > 0) {
    outcome.history.record({ operations: performed, results, isCommitted }, call.called, outcome.returned);
  }
  return isCommitted ? { results } : { kind: 'failed', why: JSON.stringify(outcome.answer.results.at(-1)) };
}

/**
 * A transaction in several requests on one stream: `next` says what comes after the results so far, `commit` to end it.
 */
export async function runInteractively(
  client: Client,
  history: DatabaseHistory,
  next: (results: readonly ModelResult[]) => DataOperation | 'commit' | 'rollback',
): Promise<Done> {
  const operations: DataOperation[] = [];
  const results: ModelResult[] = [];
  const first = history.calls();
  let baton: string | null = null;
  let returned = first.called;
  /** A stream stays with the database that it began in, whoever has its name. */
  let answering: DatabaseHistory | undefined;
  let step: ModelOperation = { op: 'begin' };
  for (;;) {
    const call = operations.length === 0 && step.op === 'begin' ? first : history.calls();
    const isLast = step.op === 'commit' || step.op === 'rollback';
    const outcome: Outcome = await client.request(history, call, { baton, operations: [step], close: isLast });
    const rolledBack = (): void => {
      if (operations.length === 0) return;
      (answering ?? history).record({ operations, results, isCommitted: false }, first.called, returned);
    };
    if (outcome.kind !== 'answered') {
      if (outcome.kind === 'unknown' && step.op === 'commit') {
        (answering ?? history).record({ operations, results, isCommitted: true }, first.called, undefined);
      } else {
        rolledBack();
      }
      return outcome;
    }
    ({ returned, history: answering } = outcome);
    const result = outcome.answer.results[0];
    if (!result || 'error' in result) {
      rolledBack();
      return { kind: 'failed', why: result ? JSON.stringify(result) : 'no result' };
    }
    if (step.op === 'rollback') {
      rolledBack();
      return { kind: 'failed', why: 'rolled back' };
    }
    if (step.op === 'commit') {
      outcome.history.record({ operations, results, isCommitted: true }, first.called, returned);
      return { results };
    }
    if (isDataOperation(step)) {
      operations.push(step);
      results.push(result);
    }
    baton = outcome.answer.baton;
    const following = next(results);
    step = typeof following === 'string' ? { op: following } : following;
    await client.sleep(client.random.below(30));
  }
}
