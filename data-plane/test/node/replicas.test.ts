/** Embedded replicas of the official libSQL client, unchanged, against real nodes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client';
import { DataNode, type TestDatabase } from '../support/data-node.js';

let node: DataNode;
let directory: string;
let count = 0;
const clients: Client[] = [];

beforeAll(async () => {
  node = await DataNode.start();
  directory = await mkdtemp(join(tmpdir(), 'turso-byoc-replica-'));
}, 60_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await node.dispose();
  await rm(directory, { recursive: true, force: true });
});

const database = async (): Promise<TestDatabase> => node.createDatabase(`replica-${count++}`);
const newFile = (): string => join(directory, `local-${count++}.db`);

function replica(of: TestDatabase, more: { offline?: boolean; token?: string; file?: string } = {}): Client {
  const { offline = false, token = of.token, file = newFile() } = more;
  const syncUrl = of.url.replace(/\/$/, '');
  const client = createClient({ url: `file:${file}`, syncUrl, authToken: token, offline });
  clients.push(client);
  return client;
}

const rowsOf = async (client: Client, sql: string): Promise<unknown[][]> => {
  const { rows, columns } = await client.execute(sql);
  return rows.map((row) => columns.map((_, index) => row[index]));
};

test('a replica reads locally, and writes where the database is', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (a)', "INSERT INTO t VALUES ('one')");
  const client = replica(there);
  await client.sync();
  expect(await rowsOf(client, 'SELECT a FROM t')).toEqual([['one']]);
  await client.execute("INSERT INTO t VALUES ('two')");
  expect(await rowsOf(client, 'SELECT a FROM t ORDER BY a')).toEqual([['one'], ['two']]);
  expect(await node.run(there, 'SELECT count(*) FROM t')).toEqual([['2']]);
  await node.run(there, 'DELETE FROM t');
  await client.sync();
  expect(await rowsOf(client, 'SELECT a FROM t')).toEqual([]);
}, 60_000);

test('replicas follow from generation to generation, and begin with the present one', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
  const early = replica(there);
  await early.sync();
  const content = 'SELECT count(*), sum(id), group_concat(substr(a, 1, 40)) FROM t';
  const first = await generationOf(there);
  for (let round = 0; round < 4; round++) {
    await node.run(
      there,
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t (a) SELECT hex(randomblob(1000)) FROM n',
      'UPDATE t SET a = hex(randomblob(900)) WHERE id % 3 = 0',
    );
    if (round === 1) await early.sync();
  }
  await node.run(there, 'DELETE FROM t WHERE id % 2 = 0');
  expect(await generationOf(there)).toBeGreaterThan(first);
  await early.sync();
  const late = replica(there);
  await late.sync();
  const wanted = await node.run(there, content);
  for (const client of [early, late]) {
    expect((await rowsOf(client, content)).map((row) => row.map(String))).toEqual(wanted);
    expect(await rowsOf(client, 'PRAGMA integrity_check')).toEqual([['ok']]);
  }
}, 120_000);

test('a replica that is past the end of its generation goes on through all that follow', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
  const first = await generationOf(there);
  const writeUntilFolded = async (): Promise<void> => {
    const before = await generationOf(there);
    while ((await generationOf(there)) === before) {
      await node.run(
        there,
        'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t (a) SELECT randomblob(1000) FROM n',
      );
    }
  };
  await writeUntilFolded();
  const { total: end } = await tipOf(there, first);
  await writeUntilFolded();
  await writeUntilFolded();
  // As if the frame behind the end had been read before the next generation was stored.
  const { total } = await tipOf(there, first, end + 1);
  await node.run(there, 'DELETE FROM t');
  expect((await tipOf(there, first, total)).total).toBeGreaterThan(total);
}, 60_000);

test('what a replica wrote offline is pushed, through the death of the node', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (a)', "INSERT INTO t VALUES ('there')");
  const file = newFile();
  const offline = replica(there, { offline: true, file });
  await offline.sync();
  await offline.execute("INSERT INTO t VALUES ('here')");
  expect(await node.run(there, 'SELECT count(*) FROM t')).toEqual([['1']]);
  await node.end('SIGKILL');
  await node.restart();
  await offline.sync();
  expect(await node.run(there, 'SELECT a FROM t ORDER BY 1')).toEqual([['here'], ['there']]);
  // More frames than one request takes, in one transaction.
  await offline.batch(
    [
      'CREATE TABLE big (id INTEGER PRIMARY KEY, a)',
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO big (a) SELECT randomblob(3000) FROM n',
      'CREATE INDEX big_by_a ON big (a)',
    ],
    'write',
  );
  await offline.sync();
  const content = 'SELECT count(*), sum(id), hex(max(a)) FROM big';
  const wanted = await node.run(there, content);
  expect((await rowsOf(offline, content)).map((row) => row.map(String))).toEqual(wanted);
  // The node has folded meanwhile, which a replica with writes of its own must not notice.
  await offline.execute("INSERT INTO t VALUES ('again')");
  await offline.sync();
  await node.end('SIGKILL');
  await node.restart();
  expect(await node.run(there, 'SELECT count(*) FROM t')).toEqual([['3']]);
  expect(await node.run(there, 'PRAGMA integrity_check')).toEqual([['ok']]);
  const other = replica(there);
  await other.sync();
  expect((await rowsOf(other, content)).map((row) => row.map(String))).toEqual(wanted);
  await node.run(there, "INSERT INTO t VALUES ('after')");
  await offline.sync();
  expect(await rowsOf(offline, 'SELECT count(*) FROM t')).toEqual([[4]]);
}, 120_000);

test('of two replicas that wrote offline the second is told of the conflict', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (a)');
  const one = replica(there, { offline: true });
  const two = replica(there, { offline: true });
  await one.sync();
  await two.sync();
  await one.execute("INSERT INTO t VALUES ('one')");
  await two.execute("INSERT INTO t VALUES ('two')");
  await one.sync();
  await expect(two.sync()).rejects.toThrow(/Conflict/);
  expect(await node.run(there, 'SELECT a FROM t')).toEqual([['one']]);
}, 60_000);

test('pushes and pulls that are refused', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (a)');
  const reader = replica(there, { offline: true, token: await node.token({ id: there.id, a: 'ro' }) });
  await reader.sync();
  await reader.execute("INSERT INTO t VALUES ('no')");
  await expect(reader.sync()).rejects.toThrow(/BLOCKED/);
  expect(() => replica(there, { token: 'none' })).toThrow(/Unauthorized/);

  const ask = async (method: string, path: string, body?: Uint8Array): Promise<unknown[]> => {
    const headers = { authorization: `Bearer ${there.token}` };
    const answer = await fetch(there.url + path, { method, headers, ...(body && { body }) });
    return [answer.status, ((await answer.json()) as { code?: string }).code];
  };
  const generation = await generationOf(there);
  const frame = Buffer.alloc(4120);
  const ending = Buffer.from(frame);
  ending.writeUInt32BE(1, 0);
  ending.writeUInt32BE(1, 4);
  const { total } = await tipOf(there, generation);
  expect(await ask('GET', `sync/${generation}/0/128`)).toEqual([400, 'MALFORMED_REQUEST']);
  expect(await ask('GET', `sync/${generation}/5/5`)).toEqual([400, 'MALFORMED_REQUEST']);
  expect(await ask('GET', `sync/${generation + 1}/1/129`)).toEqual([409, 'REPLICA_UNKNOWN_POSITION']);
  expect(await ask('GET', `export/7`)).toEqual([409, 'REPLICA_UNKNOWN_POSITION']);
  expect(await ask('POST', `sync/${generation}/${total + 1}/${total + 3}`, frame)).toEqual([
    400,
    'REPLICA_PUSH_INVALID',
  ]);
  expect(await ask('POST', `sync/${generation}/${total + 1}/${total + 2}/${'0'.repeat(32)}`, frame)).toEqual([
    409,
    'REPLICA_PUSH_BROKEN',
  ]);
  // Page 1 of zeros is no database; the commit is taken back before anybody sees it.
  expect(await ask('POST', `sync/${generation}/${total + 1}/${total + 2}`, ending)).toEqual([
    400,
    'REPLICA_PUSH_INVALID',
  ]);
  expect(await node.run(there, 'SELECT count(*) FROM t')).toEqual([['0']]);
  await node.run(there, "INSERT INTO t VALUES ('yes')");
  expect(await node.run(there, 'PRAGMA integrity_check')).toEqual([['ok']]);
}, 60_000);

test('nothing in a pushed schema is run before it was looked through', async () => {
  const there = await database();
  await node.run(there, 'CREATE TABLE t (a)');
  const offline = replica(there, { offline: true });
  await offline.sync();
  // The replica itself does not run it; whoever does finds that the row is against it.
  await offline.execute('PRAGMA ignore_check_constraints = ON');
  await offline.execute("CREATE TABLE planted (a CHECK (readfile('/proc/self/stat') IS NULL))");
  await offline.execute("INSERT INTO planted VALUES ('run')");
  await expect(offline.sync()).rejects.toThrow(/readfile\(\) is not offered.*REPLICA_PUSH_INVALID/);
  await node.run(there, "INSERT INTO t VALUES ('yes')");
  expect(await node.run(there, 'SELECT name FROM sqlite_schema')).toEqual([['t']]);
}, 60_000);

async function generationOf(there: TestDatabase): Promise<number> {
  const headers = { authorization: `Bearer ${there.token}` };
  const answer = await fetch(`${there.url}info`, { headers });
  return ((await answer.json()) as { current_generation: number }).current_generation;
}

async function tipOf(there: TestDatabase, generation: number, from = 0): Promise<{ total: number }> {
  const headers = { authorization: `Bearer ${there.token}` };
  let total = from;
  for (;;) {
    const answer = await fetch(`${there.url}sync/${generation}/${total + 1}/${total + 129}`, { headers });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200) return { total };
    total += bytes.length / 4120;
  }
}
