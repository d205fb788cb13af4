/**
 * Loading a dump is a part of creating the database, and takes minutes. The row of the database says which request has it loaded, and
 * until when that request counts as alive unless it says so again. One that is not is given up by anybody: the row becomes
 * `deleting`, in the same statement that finds it so, and can then not become `ready` any more.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { CatalogConnection } from './catalog-connection.js';
import { textOf } from './row-values.js';

/** How long a request that said nothing counts as alive. */
export const loadLeaseMs = 30_000;

/** Of a row that is `deleting`: it was given up before its dump was loaded. */
export const isGivenUp = '(dump IS NOT NULL AND loader IS NULL)';

/** Makes a request the one that has the dump loaded, or says that it is alive. False when the row is not `creating` any more. */
export async function leaseLoad(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  lease: { readonly loader: string; readonly untilMs: number },
): Promise<boolean> {
  const [, held] = await catalog.write([
    {
      sql: "UPDATE databases SET loader = ?, loader_until_ms = ? WHERE uuid = ? AND state = 'creating'",
      args: [lease.loader, lease.untilMs, uuid],
    },
    { sql: "SELECT 1 FROM databases WHERE uuid = ? AND state = 'creating' AND loader = ?", args: [uuid, lease.loader] },
  ]);
  return held?.rows.length === 1;
}

/** Says that a request is alive, if no other one has the dump loaded meanwhile. */
export async function extendLoad(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  lease: { readonly loader: string; readonly untilMs: number },
): Promise<void> {
  await catalog.write([
    {
      sql: "UPDATE databases SET loader_until_ms = ? WHERE uuid = ? AND state = 'creating' AND loader = ?",
      args: [lease.untilMs, uuid, lease.loader],
    },
  ]);
}

/**
 * Gives up a load: that of this request, or, without one, that of a request which is not alive now. `kept`: another one has
 * the dump loaded, or is alive; `gone`: the database is, or is about to be.
 */
export async function giveUpLoad(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  by: { readonly loader: string } | { readonly nowMs: number },
): Promise<'given up' | 'kept' | 'gone'> {
  const [condition, value] = 'loader' in by ? ['loader = ?', by.loader] : ['loader_until_ms < ?', by.nowMs];
  const [, found] = await catalog.write([
    {
      sql: `UPDATE databases SET state = 'deleting', loader = NULL
            WHERE uuid = ? AND state = 'creating' AND dump IS NOT NULL AND ${condition}`,
      args: [uuid, value],
    },
    {
      sql: `SELECT CASE WHEN state <> 'deleting' THEN 'kept' WHEN ${isGivenUp} THEN 'given up' ELSE 'gone' END AS outcome
            FROM databases WHERE uuid = ?`,
      args: [uuid],
    },
  ]);
  const [row] = found?.rows ?? [];
  const outcome = row === undefined ? 'gone' : textOf(row, 'outcome');
  return outcome === 'kept' || outcome === 'given up' ? outcome : 'gone';
}
