import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { listKeys } from '@turso-byoc/data-plane/storage/list-keys.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { ChainedEntry } from './audit-chain.js';

/** One exported object: consecutive entries, and a compact JWS of the `ChainHead` after them. */
export interface AuditObject {
  readonly entries: readonly ChainedEntry[];
  readonly signature: string;
}

export const auditPrefix = 'audit/';
/** `typ` of the signature. */
export const auditHeadType = 'turso-byoc/audit-head+jws';

/** Where the object that begins with this entry lies; names sort as numbers do. */
export function auditObject(firstSequence: number): string {
  return `${auditPrefix}${String(firstSequence).padStart(16, '0')}.jsonl`;
}

/** The names of exported objects in the order of their entries: of all, or of those that begin after an entry. */
export function auditKeys(store: Pick<ObjectStore, 'list'>, after = 0): AsyncGenerator<string> {
  return listKeys(systemRuntime, store, auditPrefix, after === 0 ? undefined : auditObject(after));
}

/** One line of JSON for each entry, then one with the signature. */
export function encodeAuditObject({ entries, signature }: AuditObject): Buffer {
  const lines = [...entries, { signature }].map((line) => `${JSON.stringify(line)}\n`);
  return Buffer.from(lines.join(''));
}

/** Throws `AUDIT_DAMAGED`. */
export function parseAuditObject(key: string, body: Buffer): AuditObject {
  const damaged = (why: string, cause?: unknown): ControlPlaneError =>
    new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} is damaged: ${why}`, { cause });
  const lines = body.toString('utf8').split('\n');
  if (lines.pop() !== '') throw damaged('it ends within a line');
  let values: unknown[];
  try {
    values = lines.map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw damaged('a line is not JSON', error);
  }
  const last = values.pop();
  if (typeof last !== 'object' || last === null || !('signature' in last) || typeof last.signature !== 'string') {
    throw damaged('it has no signature');
  }
  if (values.length === 0 || !values.every(isChainedEntry)) throw damaged('a line is no entry');
  return { entries: values, signature: last.signature };
}

function isChainedEntry(value: unknown): value is ChainedEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { sequence, entry, hash } = value as Record<string, unknown>;
  return Number.isSafeInteger(sequence) && typeof entry === 'string' && typeof hash === 'string';
}
