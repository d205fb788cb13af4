/** The tables `audit_pending` (recorded calls that wait) and `audit_log` (the chain). */
import { genesis, type ChainedEntry, type ChainHead } from '../audit/audit-chain.js';
import type { AuditDraft } from '../audit/audit-entry.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

/** The end of the chain, and which of these entries it holds. */
export async function auditHead(
  catalog: CatalogConnection,
  ids: readonly string[],
): Promise<{ readonly head: ChainHead; readonly held: ReadonlySet<string> }> {
  const [last, held] = await catalog.readAll([
    'SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1',
    { sql: 'SELECT id FROM audit_log WHERE id IN (SELECT value FROM json_each(?))', args: [JSON.stringify(ids)] },
  ]);
  const row = last?.rows[0];
  return {
    head: row === undefined ? genesis : { sequence: integerOf(row, 'sequence'), hash: textOf(row, 'hash') },
    held: new Set(held?.rows.map((each) => textOf(each, 'id'))),
  };
}

export interface ChainedCall extends ChainedEntry {
  readonly id: string;
  readonly organization: string;
}

/**
 * Appends entries, if the chain still ends at `head`, and removes what waited for it. Returns the ids of those that the
 * chain holds afterwards: none when another replica was faster.
 */
export async function appendToChain(
  catalog: CatalogConnection,
  head: ChainHead,
  entries: readonly ChainedCall[],
): Promise<ReadonlySet<string>> {
  const json = JSON.stringify(entries);
  const ids = JSON.stringify(entries.map(({ id }) => id));
  const [, , held] = await catalog.write([
    {
      sql: `INSERT INTO audit_log (sequence, id, organization, entry, hash)
            SELECT e.value ->> 'sequence', e.value ->> 'id', e.value ->> 'organization', e.value ->> 'entry', e.value ->> 'hash'
            FROM json_each(?) e WHERE (SELECT coalesce(max(sequence), 0) FROM audit_log) = ?`,
      args: [json, head.sequence],
    },
    {
      sql: `DELETE FROM audit_pending WHERE id IN (SELECT value FROM json_each(?))
            AND id IN (SELECT id FROM audit_log)`,
      args: [ids],
    },
    { sql: 'SELECT id FROM audit_log WHERE id IN (SELECT value FROM json_each(?))', args: [ids] },
  ]);
  return new Set(held?.rows.map((row) => textOf(row, 'id')));
}

/** The entry at a position, as the head of the chain that ends there. Throws `AUDIT_DAMAGED` when there is none. */
export async function chainHeadAt(catalog: CatalogConnection, sequence: number): Promise<ChainHead> {
  if (sequence === 0) return genesis;
  const { rows } = await catalog.read({ sql: 'SELECT hash FROM audit_log WHERE sequence = ?', args: [sequence] });
  const [row] = rows;
  if (row === undefined) throw new ControlPlaneError('AUDIT_DAMAGED', `the catalog has no audit entry ${sequence}`);
  return { sequence, hash: textOf(row, 'hash') };
}

/** Puts entries into the chain that were exported from it, where they no longer wait; those that are there stay. */
export async function insertExported(catalog: CatalogConnection, entries: readonly ChainedCall[]): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO audit_log (sequence, id, organization, entry, hash)
            SELECT e.value ->> 'sequence', e.value ->> 'id', e.value ->> 'organization', e.value ->> 'entry', e.value ->> 'hash'
            FROM json_each(?) e WHERE true ON CONFLICT DO NOTHING`,
      args: [JSON.stringify(entries)],
    },
    {
      sql: 'DELETE FROM audit_pending WHERE id IN (SELECT value FROM json_each(?))',
      args: [JSON.stringify(entries.map(({ id }) => id))],
    },
  ]);
}

/** Calls that were recorded before a time and wait, the oldest first. */
export async function pendingCalls(catalog: CatalogConnection, beforeMs: number, limit: number): Promise<AuditDraft[]> {
  const { rows } = await catalog.read({
    sql: 'SELECT entry FROM audit_pending WHERE at_ms < ? ORDER BY at_ms LIMIT ?',
    args: [beforeMs, limit],
  });
  return rows.map((row) => JSON.parse(textOf(row, 'entry')) as AuditDraft);
}

/** A page of an organization's entries, the last first, and how many there are. */
export async function auditPage(
  catalog: CatalogConnection,
  organization: string,
  page: { readonly offset: number; readonly limit: number },
): Promise<{ readonly entries: string[]; readonly total: number }> {
  const counted = await catalog.read({
    sql: 'SELECT count(*) AS total FROM audit_log WHERE organization = ?',
    args: [organization],
  });
  const { rows } = await catalog.read({
    sql: 'SELECT entry FROM audit_log WHERE organization = ? ORDER BY sequence DESC LIMIT ? OFFSET ?',
    args: [organization, page.limit, page.offset],
  });
  const [count] = counted.rows;
  return {
    entries: rows.map((row) => textOf(row, 'entry')),
    total: count === undefined ? 0 : integerOf(count, 'total'),
  };
}

/** The entries after a position, in order; at most `limit`. */
export async function entriesAfter(
  catalog: CatalogConnection,
  sequence: number,
  limit: number,
): Promise<ChainedEntry[]> {
  const { rows } = await catalog.read({
    sql: 'SELECT sequence, entry, hash FROM audit_log WHERE sequence > ? ORDER BY sequence LIMIT ?',
    args: [sequence, limit],
  });
  return rows.map((row) => ({
    sequence: integerOf(row, 'sequence'),
    entry: textOf(row, 'entry'),
    hash: textOf(row, 'hash'),
  }));
}

/** The last entry that was exported. */
export async function exportedUpTo(catalog: CatalogConnection): Promise<number> {
  const { rows } = await catalog.read('SELECT sequence FROM audit_export');
  const [row] = rows;
  return row === undefined ? 0 : integerOf(row, 'sequence');
}

/** Notes that everything up to this entry is exported. */
export async function noteExported(catalog: CatalogConnection, sequence: number): Promise<void> {
  await catalog.write([{ sql: 'UPDATE audit_export SET sequence = ? WHERE sequence < ?', args: [sequence, sequence] }]);
}
