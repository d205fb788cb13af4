/**
 * The call that is being carried out, so that the first change that it makes to the catalog records it in the same
 * transaction: a change without a record, or a record of a change that never was, cannot be. The call travels with the
 * asynchronous work that it starts (`AsyncLocalStorage`), because every layer between route and catalog would otherwise
 * have to hand it on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { InStatement } from '@libsql/client';
import type { AuditDraft } from './audit-entry.js';

export interface AuditedCall {
  readonly draft: AuditDraft;
  /** Whether the catalog holds the call. */
  isRecorded: boolean;
}

const calls = new AsyncLocalStorage<AuditedCall>();

/** Runs work, and all that it starts, as part of a call. */
export function runAudited<T>(call: AuditedCall, work: () => T): T {
  return calls.run(call, work);
}

/** Runs work as part of no call. */
export function runUnaudited<T>(work: () => T): T {
  return calls.exit(work);
}

/** Adds names or ids to what is recorded of the present call; does nothing outside of one. */
export function noteInAudit(data: Readonly<Record<string, unknown>>): void {
  Object.assign(calls.getStore()?.draft.data ?? {}, data);
}

/** The present call, when the catalog does not hold it yet. */
export function unrecordedCall(): AuditedCall | undefined {
  const call = calls.getStore();
  return call?.isRecorded === false ? call : undefined;
}

/** Puts a call where it waits to be chained. May run twice. */
export function pendingRecord({ draft }: AuditedCall): InStatement {
  return {
    sql: 'INSERT INTO audit_pending (id, at_ms, entry) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    args: [draft.id, Date.parse(draft.created_at), JSON.stringify(draft)],
  };
}
