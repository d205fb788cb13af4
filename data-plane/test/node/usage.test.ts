/** What databases use, as real nodes count it and leave it in the store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import type { UsageBatch } from '../../src/metering/usage-batch.js';
import type { ShapedCosts } from '../../src/engine/ipc/shaped-costs.js';
import { Canary, filesWith } from '../support/canaries.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';

let node: DataNode;
let directory: string;
/** Rows read, rows written, bytes synced, queries: by database, added up as the control plane does. */
const used = new Map<string, number[]>();

beforeAll(async () => {
  node = await DataNode.start(sharedLease);
  directory = await mkdtemp(join(tmpdir(), 'turso-byoc-usage-'));
}, 120_000);
afterAll(async () => {
  await node.dispose();
  await rm(directory, { recursive: true, force: true });
});

/** Commit and pages of each database, as they were told last. */
const sizes = new Map<string, readonly [number, number]>();

async function collect(from: DataNode): Promise<UsageBatch[]> {
  const { batches } = (await (await from.admin('GET', '/admin/v1/usage')).json()) as { batches: UsageBatch[] };
  for (const { databases, sizes: told = [] } of batches) {
    for (const [id, commit, pages] of told) sizes.set(id, [commit, pages]);
    for (const [id, ...counts] of databases) {
      const before = used.get(id) ?? [0, 0, 0, 0];
      used.set(
        id,
        before.map((count, place) => count + counts[place]!),
      );
    }
  }
  if (batches.length > 0) {
    const collected = batches.map(({ epoch, sequence }) => ({ epoch, sequence }));
    expect((await from.admin('POST', '/admin/v1/usage/collected', { batches: collected })).status).toBe(200);
  }
  return batches;
}

/** Engine processes tell a little later what statements did. */
async function usedBy({ id }: TestDatabase, queries: number, from = node): Promise<number[]> {
  for (;;) {
    await collect(from);
    const counts = used.get(id);
    if (counts && counts[3]! >= queries) return counts;
    await delay(50);
  }
}

test.each(['libsql', 'tursodb'] as const)(
  'statements are counted, %s',
  async (engine) => {
    const database = await node.createDatabase(`sql-${engine}`, engine);
    await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1), (2), (3)', 'SELECT * FROM t');
    await expect(node.run(database, 'SELECT * FROM none')).rejects.toThrow();
    expect(await usedBy(database, 3)).toEqual([3, 3, 0, 3]);
    expect(sizes.get(database.id)).toEqual([2, 2]);
    await node.run(database, 'UPDATE t SET a = 0 WHERE a > 1', 'SELECT 1');
    expect(await usedBy(database, 5)).toEqual([4, 5, 0, 5]);
  },
  20_000,
);

test('what is synchronized is counted, by the bytes of pages and frames', async () => {
  const database = await node.createDatabase('synced');
  await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  const authorization = `Bearer ${database.token}`;
  const answer = await fetch(`${database.url}pull-updates`, { method: 'POST', headers: { authorization } });
  const pulled = (await answer.arrayBuffer()).byteLength;
  expect([answer.status, pulled > 8_192]).toEqual([200, true]);
  const [, , first = 0] = await usedBy(database, 2);
  expect(first).toBe(pulled);

  const file = join(directory, 'replica.db');
  const syncUrl = database.url.replace(/\/$/, '');
  const client = createClient({ url: `file:${file}`, syncUrl, authToken: database.token, offline: true });
  try {
    await client.sync();
    await collect(node);
    const [, , downloaded = 0] = used.get(database.id)!;
    // Two pages in frames, or a file of two pages.
    expect(downloaded - first).toBeGreaterThanOrEqual(8_192);
    await client.execute('INSERT INTO t VALUES (2)');
    await client.sync();
    await collect(node);
    const [, , pushed = 0] = used.get(database.id)!;
    expect(pushed - downloaded).toBeGreaterThanOrEqual(4_120);
  } finally {
    client.close();
  }
  expect(await node.counted('synced_bytes_total')).toBe(used.get(database.id)?.[2]);
}, 20_000);

test('nothing is counted of databases that the deployment has for itself', async () => {
  const own = await node.createDatabase('own', 'libsql', { organization: 'system' });
  const other = await node.createDatabase('other');
  await node.run({ ...own, url: `${node.url}/db/own-system/` }, 'SELECT 1');
  await node.run(other, 'SELECT 1');
  await usedBy(other, 1);
  await delay(200);
  await collect(node);
  expect(used.has(own.id)).toBe(false);
}, 20_000);

test('a node that stops leaves what it counted to the others, and one that dies no more than it had not stored', async () => {
  const database = await node.createDatabase('left');
  await node.run(database, 'SELECT 1');
  await usedBy(database, 1);
  await node.run(database, 'SELECT 1', 'SELECT 2');
  await node.end('SIGTERM');
  await node.restart();
  expect(await usedBy(database, 3)).toEqual([3, 0, 0, 3]);
  await node.run(database, 'SELECT 1');
  await usedBy(database, 4);
  await node.run(database, 'SELECT 1');
  await node.end('SIGKILL');
  await node.restart();
  await node.run(database, 'SELECT 1');
  expect(await usedBy(database, 5)).toEqual([5, 0, 0, 5]);
}, 20_000);

describe('the statements that cost most', () => {
  const told = async (from: DataNode, { id }: TestDatabase): Promise<Record<string, number[]>> => {
    const answer = await from.admin('GET', `/admin/v1/databases/${id}/statements?since=0`);
    const { statements } = (await answer.json()) as { statements: ShapedCosts[] };
    return Object.fromEntries(
      statements.map(({ shape, count, rowsRead, rowsWritten }) => [shape, [count, rowsRead, rowsWritten]]),
    );
  };
  /** Engine processes tell a little later. */
  const until = async (expected: Record<string, number[]>, from: DataNode, database: TestDatabase): Promise<void> => {
    const known = (found: Record<string, number[]>): boolean => Object.keys(expected).every((shape) => shape in found);
    for (let found = await told(from, database); ; found = await told(from, database)) {
      if (known(found)) {
        expect(found).toEqual(expected);
        return;
      }
      await delay(50);
    }
  };

  test.each(['libsql', 'tursodb'] as const)(
    'are told with their costs and without their values, by any node, and stored nowhere, %s',
    async (engine) => {
      const other = await node.startBeside();
      // Its own, it has come last: with a move to a node that joins later the figures would be forgotten.
      const database = await other.createDatabase(`top-${engine}`, engine);
      const client = createClient({ url: database.url, authToken: database.token });
      try {
        await client.execute('CREATE TABLE people (id INTEGER PRIMARY KEY, canary_name TEXT)');
        for (const name of ['canary ann', 'canary bob', 'canary cid']) {
          await client.execute({ sql: 'INSERT INTO people (canary_name) VALUES (?)', args: [name] });
        }
        await client.batch([`INSERT INTO people (canary_name) VALUES ('canary dan')`], 'write');
        await client.execute(`SELECT "id" FROM people WHERE "canary_name" > 'canary b' ORDER BY 1`);
        await client.execute(`SELECT "id" FROM people WHERE "canary_name" > 'canary c' ORDER BY 1`);
        await client.execute(`UPDATE people SET canary_name = 'canary eve' WHERE id > 1`);
        await client.execute('SELECT 1 AS last');
        const expected = {
          'CREATE TABLE people (id INTEGER PRIMARY KEY, canary_name TEXT)': [1, 0, 0],
          'INSERT INTO people (canary_name) VALUES (?)': [4, 0, 4],
          'SELECT "id" FROM people WHERE "canary_name" > ? ORDER BY ?': [2, 5, 0],
          'UPDATE people SET canary_name = ? WHERE id > ?': [1, 0, 3],
          'SELECT ? AS last': [1, 1, 0],
        };
        await until(expected, node, database);
        expect(await told(other, database)).toEqual(expected);
        await collect(node);
        await other.run(database, 'SELECT 2 AS last');
        await delay(300);
        await (await node.admin('GET', '/admin/v1/usage')).text();
        expect(await filesWith([Canary.ofText('shape', 'canary')], node.storeDirectory)).toEqual([]);
        await node.admin('DELETE', `/admin/v1/databases/${database.id}`);
        expect(await told(node, database)).toEqual({});
        expect(await told(other, database)).toEqual({});
      } finally {
        client.close();
        await other.end('SIGKILL');
      }
    },
    120_000,
  );
});

test('nothing is stored, and nothing found, while nothing is used', async () => {
  await collect(node);
  const before = await node.counted('store_requests_total', 'objects="usage"', 'operation="put"');
  expect(await collect(node)).toEqual([]);
  expect(await node.counted('store_requests_total', 'objects="usage"', 'operation="put"')).toBe(before);
});
