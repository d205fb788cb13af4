import type { InStatement, Row } from '@libsql/client';
import type { UsageBatch, UsageCounts } from '@turso-byoc/data-plane/metering/usage-batch.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

const dayMs = 86_400_000;
const pageBytes = 4_096;
/** How long days are kept: a year, and the month before it. */
const keptDays = 400;
/** Days of databases that are forgotten at a time. */
const forgottenAtOnce = 5_000;

/** Whole days, counted from 1970 in UTC, both included. */
export interface UsagePeriod {
  readonly firstDay: number;
  readonly lastDay: number;
}

/** The days that the time from `fromMs` to `toMs` touches; the last moment is not part of it. */
export function daysOf(fromMs: number, toMs: number): UsagePeriod {
  return { firstDay: Math.floor(fromMs / dayMs), lastDay: Math.ceil(toMs / dayMs) - 1 };
}

/** The batch's databases that are, or were, in the catalog. */
const known = `json_each(?) e
  LEFT JOIN databases d ON d.uuid = e.value ->> 0
  LEFT JOIN deleted_databases x ON x.uuid = e.value ->> 0
  WHERE coalesce(d.organization, x.organization) IS NOT NULL
    AND (SELECT coalesce(max(sequence), 0) FROM usage_sources WHERE epoch = ?) < ?`;
const added = `ON CONFLICT (scope, subject, day) DO UPDATE SET rows_read = rows_read + excluded.rows_read,
  rows_written = rows_written + excluded.rows_written, bytes_synced = bytes_synced + excluded.bytes_synced,
  queries = queries + excluded.queries`;

/**
 * Adds a batch of a data node, unless it or a later one of the same epoch is there: any number of replicas may try it any
 * number of times. Databases that the catalog does not know are left out.
 */
export async function addUsage(
  catalog: CatalogConnection,
  { epoch, sequence, hourMs, databases, sizes = [] }: UsageBatch,
  nowMs: number,
): Promise<void> {
  const day = Math.floor(hourMs / dayMs);
  const args = [day, JSON.stringify(databases), epoch, sequence];
  const sums = [1, 2, 3, 4].map((place) => `sum(e.value ->> ${place})`).join(', ');
  const insert = 'INSERT INTO usage (scope, subject, day, rows_read, rows_written, bytes_synced, queries)';
  await catalog.write([
    {
      sql: `${insert} SELECT 'database', e.value ->> 0, ?, ${sums} FROM ${known} GROUP BY e.value ->> 0 ${added}`,
      args,
    },
    {
      sql: `${insert} SELECT 'organization', coalesce(d.organization, x.organization), ?, ${sums} FROM ${known}
            GROUP BY coalesce(d.organization, x.organization) ${added}`,
      args,
    },
    // Sizes replace each other, the later commit the earlier, so that they may be told in any order and any number of times.
    ...(['databases', 'deleted_databases'] as const).map((table) => ({
      sql: `UPDATE ${table} SET stored_commit = e.value ->> 1, stored_bytes = (e.value ->> 2) * ${pageBytes}
            FROM json_each(?) e WHERE ${table}.uuid = e.value ->> 0 AND ${table}.stored_commit <= e.value ->> 1`,
      args: [JSON.stringify(sizes)],
    })),
    {
      sql: `INSERT INTO usage_sources (epoch, sequence, at_ms) VALUES (?, ?, ?)
            ON CONFLICT (epoch) DO UPDATE SET sequence = excluded.sequence, at_ms = excluded.at_ms
            WHERE excluded.sequence > usage_sources.sequence`,
      args: [epoch, sequence, nowMs],
    },
  ]);
}

/** Forgets some of what is older than it is kept. */
export async function forgetOldUsage(catalog: CatalogConnection, nowMs: number): Promise<void> {
  const day = Math.floor(nowMs / dayMs) - keptDays;
  const old: InStatement = {
    sql: `DELETE FROM usage WHERE (scope, subject, day) IN (SELECT scope, subject, day FROM usage WHERE day < ? LIMIT ?)`,
    args: [day, forgottenAtOnce],
  };
  await catalog.write([old, { sql: 'DELETE FROM usage_sources WHERE at_ms < ?', args: [day * dayMs] }]);
}

const sums = `coalesce(sum(u.rows_read), 0) AS rows_read, coalesce(sum(u.rows_written), 0) AS rows_written,
  coalesce(sum(u.bytes_synced), 0) AS bytes_synced, coalesce(sum(u.queries), 0) AS queries`;

/** What a database (by its uuid) or an organization (by its slug) used in a period. */
export async function usageOf(
  catalog: CatalogConnection,
  scope: 'database' | 'organization',
  subject: string,
  { firstDay, lastDay }: UsagePeriod,
): Promise<UsageCounts> {
  const { rows } = await catalog.read({
    sql: `SELECT ${sums} FROM usage u WHERE u.scope = ? AND u.subject = ? AND u.day BETWEEN ? AND ?`,
    args: [scope, subject, firstDay, lastDay],
  });
  return rows.map(countsFromRow)[0] ?? { rowsRead: 0, rowsWritten: 0, bytesSynced: 0, queries: 0 };
}

/** What each database of an organization, or of one of its groups, used in a period, by uuid. */
export async function usageByDatabase(
  catalog: CatalogConnection,
  { organization, groupUuid }: { readonly organization: string; readonly groupUuid: string | undefined },
  { firstDay, lastDay }: UsagePeriod,
): Promise<{ readonly uuid: string; readonly counts: UsageCounts; readonly storedBytes: number }[]> {
  const { rows } = await catalog.read({
    sql: `SELECT d.uuid AS uuid, d.stored_bytes AS stored_bytes, ${sums} FROM databases d
          LEFT JOIN usage u ON u.scope = 'database' AND u.subject = d.uuid AND u.day BETWEEN ? AND ?
          WHERE d.organization = ? AND d.group_uuid = coalesce(?, d.group_uuid) AND d.state = 'ready'
          GROUP BY d.uuid ORDER BY d.uuid`,
    args: [firstDay, lastDay, organization, groupUuid ?? null],
  });
  return rows.map((row) => ({
    uuid: textOf(row, 'uuid'),
    counts: countsFromRow(row),
    storedBytes: integerOf(row, 'stored_bytes'),
  }));
}

function countsFromRow(row: Row): UsageCounts {
  return {
    rowsRead: integerOf(row, 'rows_read'),
    rowsWritten: integerOf(row, 'rows_written'),
    bytesSynced: integerOf(row, 'bytes_synced'),
    queries: integerOf(row, 'queries'),
  };
}

/** The size of a database as its data node told it last; undefined when none did. */
export async function knownStoredBytes(catalog: CatalogConnection, uuid: string): Promise<number | undefined> {
  const { rows } = await catalog.read({
    sql: 'SELECT stored_bytes FROM databases WHERE uuid = ? AND stored_commit >= 0',
    args: [uuid],
  });
  return rows.map((row) => integerOf(row, 'stored_bytes'))[0];
}

/** How many databases and groups an organization has, and how large its databases are together. */
export async function countsOfOrganization(
  catalog: CatalogConnection,
  organization: string,
): Promise<{ readonly databases: number; readonly groups: number; readonly storedBytes: number }> {
  const { rows } = await catalog.read({
    sql: `SELECT coalesce(sum(databases), 0) AS databases, coalesce(sum(stored_bytes), 0) AS stored_bytes,
            (SELECT count(*) FROM groups WHERE organization = ?) AS groups
          FROM counts WHERE scope = 'organization' AND subject = ?`,
    args: [organization, organization],
  });
  const [row] = rows;
  if (row === undefined) return { databases: 0, groups: 0, storedBytes: 0 };
  const [databases, groups] = [integerOf(row, 'databases'), integerOf(row, 'groups')];
  return { databases, groups, storedBytes: integerOf(row, 'stored_bytes') };
}

/** How many databases a group has, also those that are being made or deleted. */
export async function countDatabasesOfGroup(catalog: CatalogConnection, groupUuid: string): Promise<number> {
  const { rows } = await catalog.read({
    sql: "SELECT databases FROM counts WHERE scope = 'group' AND subject = ?",
    args: [groupUuid],
  });
  const [row] = rows;
  return row === undefined ? 0 : integerOf(row, 'databases');
}
