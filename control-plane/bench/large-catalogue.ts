/**
 * The catalog alone, with as many rows as are asked for: in a file, with the real schema and the real statements, so that a
 * million rows are there in a minute and what is measured is what its size costs.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { CatalogConnection } from '@turso-byoc/control-plane/catalog/catalog-connection.js';
import {
  findDatabase,
  insertCreating,
  listReadyDatabases,
  markReady,
} from '@turso-byoc/control-plane/catalog/databases.js';
import { findGroup } from '@turso-byoc/control-plane/catalog/groups.js';
import { migrateCatalog } from '@turso-byoc/control-plane/catalog/migrations.js';
import { systemClock } from '@turso-byoc/control-plane/clock.js';
import { latencies } from './percentile.js';

const organization = 'default';
const samples = 50;

export async function measureLargeCatalogue(rows: number): Promise<Record<string, unknown>> {
  const directory = await mkdtemp(join(tmpdir(), 'large-catalogue-'));
  const path = join(directory, 'catalog.db');
  const catalog = new CatalogConnection({
    url: `file:${path}`,
    mintToken: async () => ({ jwt: '', mintedAtMs: systemClock.now() }) as never,
    tokenRecord: () => 'SELECT 1',
    clock: systemClock,
    retryBudgetMs: 0,
    attemptTimeoutMs: 60_000,
  });
  try {
    await migrateCatalog(catalog, systemClock, { organization, primaryRegion: 'local' });
    const group = await findGroup(catalog, organization, 'default');
    if (group === undefined) throw new Error('the catalog has no group');
    await fill(path, rows, group.uuid);
    const list = async (after: string): Promise<unknown> =>
      listReadyDatabases(catalog, { organization, group: group.uuid, after, limit: 1_001 });
    const name = (place: number): string => `bench-${String(place).padStart(8, '0')}`;
    const pages: Record<string, unknown> = {};
    for (const depth of [0, 0.25, 0.5, 0.75, 0.99]) {
      pages[`${depth * 100}%`] = await latencies(samples, async (at) => list(name(Math.floor(rows * depth) + at * 7)));
    }
    return {
      rows,
      fileMiB: Math.round((await stat(path)).size / 2 ** 20),
      pageOf1000Ms: pages,
      retrieveMs: await latencies(samples * 10, async (at) =>
        findDatabase(catalog, organization, name((at * 7_919) % rows)),
      ),
      insertAndMarkMs: await latencies(samples * 4, async (at) => {
        const uuid = newDatabaseId('libsql', systemClock.now());
        const origin = 'new' as const;
        const createdAtMs = systemClock.now();
        const row = {
          uuid,
          organization,
          addressOrganization: organization,
          name: `new-${at}`,
          group,
          origin,
          createdAtMs,
        };
        await insertCreating(catalog, { ...row, engine: 'libsql' });
        await markReady(catalog, uuid, 'bench');
      }),
    };
  } finally {
    catalog.close();
    await rm(directory, { recursive: true });
  }
}

/** Rows as creations leave them, a hundred thousand in a transaction. */
async function fill(path: string, rows: number, group: string): Promise<void> {
  const client = createClient({ url: `file:${path}` });
  for (let from = 0; from < rows; from += 100_000) {
    const to = Math.min(rows, from + 100_000);
    await client.execute({
      sql: `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
            INSERT INTO databases (uuid, organization, address_organization, name, group_uuid, engine, state, claimed_by, created_at_ms)
            SELECT lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' || substr(h, 18, 3) || '-' || substr(h, 21)),
              ?, ?, printf('bench-%08d', i), ?, 'libsql', 'ready', h, 1800000000000
            FROM (SELECT i, hex(randomblob(16)) AS h FROM n)`,
      args: [from, to, organization, organization, group],
    });
    process.stderr.write(`${to} rows\n`);
  }
  client.close();
}
