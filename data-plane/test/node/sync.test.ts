/** The official sync package against a real node: what devices see of a database and of each other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database } from '@tursodatabase/sync';
import roaring from 'roaring-wasm';
import { newClientKey } from '../support/client-keys.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { decodePull, encodePull, type PullAnswer } from '../support/pulls.js';

let node: DataNode;
let directory: string;
const open: Database[] = [];

beforeAll(async () => {
  await roaring.roaringLibraryInitialize();
  directory = await mkdtemp(join(tmpdir(), 'turso-byoc-devices-'));
  node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '1' });
});
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});
afterAll(async () => {
  await node.dispose();
  await rm(directory, { recursive: true, force: true });
});

let devices = 0;

async function device(database: TestDatabase, options: Partial<Parameters<typeof connect>[0]> = {}): Promise<Database> {
  const made = await connect({
    path: join(directory, `device-${devices++}.db`),
    url: database.url.slice(0, -1),
    authToken: database.token,
    clientName: 'device',
    ...options,
  });
  open.push(made);
  return made;
}

const all = async (from: Database, sql: string): Promise<unknown[]> => (await from.prepare(sql)).raw().all();

describe.each(['libsql', 'tursodb'] as const)('a database of %s', (engine) => {
  it('is replicated as a whole, pulls what changed, and takes what a device wrote', async () => {
    const database = await node.createDatabase(`whole-${engine}`, engine);
    await node.run(
      database,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
      "INSERT INTO t SELECT value, 'v' || value FROM generate_series(1, 2000)",
    );
    const one = await device(database);
    expect(await all(one, 'SELECT count(*), sum(id) FROM t')).toEqual([[2000, 2001000]]);
    await node.run(database, "UPDATE t SET v = 'changed' WHERE id = 7");
    expect(await one.pull()).toBe(true);
    expect(await one.pull()).toBe(false);
    expect(await all(one, 'SELECT v FROM t WHERE id = 7')).toEqual([['changed']]);

    await one.exec("INSERT INTO t VALUES (3000, 'from a device')");
    await one.exec('CREATE TABLE made_offline (n REAL, b BLOB)');
    await one.exec("INSERT INTO made_offline VALUES (1.5, x'0102')");
    await one.push();
    expect(await node.run(database, 'SELECT v FROM t WHERE id = 3000')).toEqual([['from a device']]);
    expect(await node.run(database, 'SELECT * FROM made_offline')).toEqual([[1.5, 'AQI']]);
    const two = await device(database);
    expect(await all(two, 'SELECT v FROM t WHERE id = 3000')).toEqual([['from a device']]);
    expect(await one.pull()).toBe(true);
    expect(await all(one, 'SELECT count(*) FROM t')).toEqual([[2001]]);
  });
});

async function pull(database: TestDatabase, asked: Parameters<typeof encodePull>[0], at = node): Promise<PullAnswer> {
  const answer = await fetch(`${at.url}/db/${database.name}-test/pull-updates`, {
    method: 'POST',
    headers: { authorization: `Bearer ${database.token}`, ...database.headers },
    body: encodePull(asked),
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  expect(answer.headers.get('content-type')).toBe('application/protobuf');
  return decodePull(new Uint8Array(await answer.arrayBuffer()));
}

/** A selector of pages, which count from 1 here. */
function selector(...pages: number[]): Buffer {
  return Buffer.from(new roaring.RoaringBitmap32(pages.map((page) => page - 1)).serialize('portable'));
}

const bytesReceived = async (device: Database): Promise<number> => (await device.stats()).networkReceivedBytes;

it('a whole replica is a database as the server has it, page for page', async () => {
  const database = await node.createDatabase('same');
  await node.run(database, 'CREATE TABLE t (v)', 'INSERT INTO t VALUES (randomblob(300000))');
  const { databasePages, pages, isRaw } = await pull(database, {});
  expect([pages.size, isRaw]).toEqual([databasePages, true]);
  expect(pages.get(1)?.toString('latin1', 0, 15)).toBe('SQLite format 3');
  expect([...pages.values()].every((page) => page.length === 4096)).toBe(true);
  const replica = await device(database, { pullBytesThreshold: 100_000 });
  expect(await all(replica, 'SELECT length(v) FROM t')).toEqual([[300_000]]);
  expect(await all(replica, 'PRAGMA integrity_check')).toEqual([['ok']]);
});

it('an empty database is replicated, and filled by a device', async () => {
  const database = await node.createDatabase('empty');
  const replica = await device(database);
  await replica.exec('CREATE TABLE t (n)');
  await replica.push();
  expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
});

it('of what two devices write without a network, who pushes last wins, row by row', async () => {
  const database = await node.createDatabase('conflicts');
  await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT)');
  await node.run(database, "INSERT INTO t VALUES (1, 'a', 'b'), (2, 'a', 'b'), (3, 'a', 'b')");
  const [one, two] = [await device(database), await device(database)];
  await one.exec("UPDATE t SET a = 'one' WHERE id = 1");
  await one.exec("INSERT INTO t VALUES (10, 'one', 'one')");
  await one.exec('DELETE FROM t WHERE id = 2');
  await two.exec("UPDATE t SET a = 'two' WHERE id = 1");
  await two.exec("INSERT INTO t VALUES (10, 'two', 'two'), (11, 'two', 'two')");
  await one.push();
  await two.push();
  const expected = [
    [1, 'two', 'b'],
    [3, 'a', 'b'],
    [10, 'two', 'two'],
    [11, 'two', 'two'],
  ];
  const rows = 'SELECT id, a, b FROM t ORDER BY id';
  expect(await node.run(database, rows)).toEqual(expected.map(([id, ...rest]) => [String(id), ...rest]));
  for (const each of [one, two, one]) await each.pull();
  for (const each of [one, two]) expect(await all(each, rows)).toEqual(expected);
  // What was pushed once is not pushed again.
  await node.run(database, "UPDATE t SET a = 'server' WHERE id = 1");
  await one.push();
  expect(await node.run(database, 'SELECT a FROM t WHERE id = 1')).toEqual([['server']]);
});

it('a device that was away for thousands of changes goes on, both ways', async () => {
  const database = await node.createDatabase('away');
  await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  const replica = await device(database, { pushOperationsThreshold: 1_000 });
  for (let batch = 0; batch < 30; batch++) {
    await node.run(
      database,
      `INSERT INTO t SELECT value, hex(randomblob(60)) FROM generate_series(${batch * 100 + 1}, ${batch * 100 + 100})`,
      `UPDATE t SET v = 'again' WHERE id = ${batch * 100 + 1}`,
    );
  }
  await replica.exec('BEGIN');
  const insert = await replica.prepare('INSERT INTO t VALUES (?, ?)');
  for (let id = 100_001; id <= 103_000; id++) await insert.run(id, `device ${id}`);
  await replica.exec('COMMIT');
  await replica.push();
  expect(await replica.pull()).toBe(true);
  for (const rows of [await node.run(database, 'SELECT count(*), sum(id) FROM t')]) {
    expect(rows.map((row) => row.map(Number))).toEqual(await all(replica, 'SELECT count(*), sum(id) FROM t'));
  }
  expect(await all(replica, 'SELECT count(*) FROM t')).toEqual([[6_000]]);
});

it('a client that waits is woken by the commit, or told after its time that there is nothing', async () => {
  const database = await node.createDatabase('waits');
  await node.run(database, 'CREATE TABLE t (n)');
  const { revision } = await pull(database, {});
  const waiting = pull(database, { clientRevision: revision, longPollTimeoutMs: 60_000 });
  await node.run(database, 'INSERT INTO t VALUES (1)');
  const woken = await waiting;
  expect(woken.pages.size).toBeGreaterThan(0);
  expect(woken.revision).not.toBe(revision);
  const nothing = await pull(database, { clientRevision: woken.revision, longPollTimeoutMs: 30 });
  expect([nothing.revision, nothing.pages.size]).toEqual([woken.revision, 0]);

  const replica = await device(database, { longPollTimeoutMs: 60_000 });
  const pulled = replica.pull();
  await node.run(database, 'INSERT INTO t VALUES (2)');
  expect(await pulled).toBe(true);
  expect(await all(replica, 'SELECT sum(n) FROM t')).toEqual([[3]]);
});

describe('a partial replica', () => {
  const rows = 12_000;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await node.createDatabase('partial');
    await node.run(
      database,
      'CREATE TABLE small (id INTEGER PRIMARY KEY, v TEXT)',
      "INSERT INTO small SELECT value, 'small ' || value FROM generate_series(1, 500)",
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
      `INSERT INTO t SELECT value, 'first ' || value || hex(zeroblob(200)) FROM generate_series(1, ${rows})`,
    );
  });

  it.each([
    ['prefix', { kind: 'prefix' as const, length: 128 * 1024 }],
    ['query', { kind: 'query' as const, query: 'SELECT * FROM small WHERE id < 100' }],
  ])('by %s begins with little, and reads the rest as it was while the database goes on', async (kind, strategy) => {
    const replica = await device(database, { partialSyncExperimental: { bootstrapStrategy: strategy } });
    expect(await bytesReceived(replica)).toBeLessThan(200 * 1024);
    const before = (await node.run(database, 'SELECT substr(v, 1, 5) FROM t WHERE id = 9000'))[0]?.[0] as string;
    // Every page is written anew, again and again, and folded: generations come and go.
    for (let round = 0; round < 3; round++) {
      await node.run(database, `UPDATE t SET v = '${kind.slice(0, 4)}${round}' || substr(v, 6)`);
    }
    const read = `SELECT substr(v, 1, 5), count(*) FROM t GROUP BY 1`;
    expect(await all(replica, 'SELECT count(*) FROM small')).toEqual([[500]]);
    expect(await all(replica, `SELECT substr(v, 1, 5) FROM t WHERE id IN (1, 6000, ${rows})`)).toEqual([
      [before],
      [before],
      [before],
    ]);
    expect(await replica.pull()).toBe(true);
    expect(await all(replica, read)).toEqual([[`${kind.slice(0, 4)}2`, rows]]);
  });

  it('is answered with exactly the pages that it asks for, at the revision that it names', async () => {
    const first = await pull(database, {});
    await node.run(database, "UPDATE t SET v = 'later' WHERE id <= 6000");
    const again = await pull(database, { serverRevision: first.revision, pages: selector(1, 5, 90, 100_000) });
    expect(again.revision).toBe(first.revision);
    expect(again.databasePages).toBe(first.databasePages);
    expect([...again.pages.keys()].sort((a, b) => a - b)).toEqual([1, 5, 90]);
    for (const [page, content] of again.pages) expect(content.equals(first.pages.get(page) as Buffer)).toBe(true);
    const since = await pull(database, { clientRevision: first.revision });
    const latest = await pull(database, {});
    for (const [page, content] of latest.pages) {
      const has = since.pages.get(page) ?? first.pages.get(page);
      expect(has?.equals(content)).toBe(true);
    }
    expect(since.pages.size).toBeLessThan(latest.pages.size);
  });
});

describe.each(['aegis256', 'aes128gcm', 'aegis128l'] as const)(
  'a database whose client holds its key, %s',
  (cipher) => {
    it('is replicated with the key, and with no other', async () => {
      const key = newClientKey(cipher);
      const engine = cipher === 'aegis256' ? 'libsql' : 'tursodb';
      const database = await node.createDatabase(`keyed-${cipher}`, engine, { encryption: { key, cipher } });
      const keyed = { ...database, headers: { 'x-turso-encryption-key': key } };
      await node.run(keyed, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (1, 'server')");
      const replica = await device(database, { remoteEncryption: { key, cipher } });
      await replica.exec("INSERT INTO t VALUES (2, 'device')");
      await replica.push();
      expect(await node.run(keyed, 'SELECT v FROM t ORDER BY id')).toEqual([['server'], ['device']]);
      await node.run(keyed, "UPDATE t SET v = 'changed' WHERE id = 1");
      await replica.pull();
      expect(await all(replica, 'SELECT v FROM t ORDER BY id')).toEqual([['changed'], ['device']]);
      const other = newClientKey(cipher);
      await expect(device(database, { remoteEncryption: { key: other, cipher } })).rejects.toThrow(
        /ENCRYPTION_KEY_WRONG/,
      );
      await expect(device(database)).rejects.toThrow(/ENCRYPTION_KEY_REQUIRED/);
    });
  },
);

describe('access', () => {
  it('a token that may only read pulls, and does not push', async () => {
    const database = await node.createDatabase('read-only');
    await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const authToken = await node.token({ id: database.id, a: 'ro' });
    const replica = await device(database, { authToken });
    expect(await all(replica, 'SELECT n FROM t')).toEqual([['1']].map(() => [1]));
    await replica.exec('INSERT INTO t VALUES (2)');
    await expect(replica.push()).rejects.toThrow(/BLOCKED|forbidden|read/i);
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
  });

  it('a token for single tables pulls nothing: a page may hold any table', async () => {
    const database = await node.createDatabase('tables');
    await node.run(database, 'CREATE TABLE t (n)');
    const withPermissions = async (p: unknown): Promise<TestDatabase> => ({
      ...database,
      token: await node.token({ id: database.id, p }),
    });
    const single = await withPermissions([{ t: ['t'], a: ['data_read'] }]);
    await expect(pull(single, {})).rejects.toThrow(/SQLITE_AUTH/);
    expect((await pull(await withPermissions([{ t: null, a: ['data_read'] }]), {})).pages.size).toBeGreaterThan(0);
  });

  it('nobody pulls without a token, or with that of another database', async () => {
    const [database, other] = [await node.createDatabase('mine'), await node.createDatabase('yours')];
    await expect(pull({ ...database, token: '' }, {})).rejects.toThrow(/^401 /);
    await expect(pull({ ...database, token: other.token }, {})).rejects.toThrow(/^401 .*AUTH_FORBIDDEN/);
  });
});

describe('what is malformed is refused by name', () => {
  let database: TestDatabase;
  let revision: string;
  beforeAll(async () => {
    database = await node.createDatabase('refusals');
    await node.run(database, 'CREATE TABLE t (n)');
    ({ revision } = await pull(database, {}));
  });

  it('a revision of another database, of a branch, or of nobody', async () => {
    const other = await node.createDatabase('refusals-other');
    const foreign = (await pull(other, {})).revision;
    const altered = `${revision.slice(0, -2)}${revision.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const one of [foreign, altered, 'x', '{"generation":999999999999999998,"wal_fragment_no":5}']) {
      await expect(pull(database, { clientRevision: one })).rejects.toThrow(/^400 .*REVISION_INVALID/);
      await expect(pull(database, { serverRevision: one, pages: selector(1) })).rejects.toThrow(
        /^400 .*REVISION_INVALID/,
      );
    }
  });

  it('a body, a selector or a query that is none', async () => {
    await expect(pull(database, { pages: Buffer.from('no bitmap') })).rejects.toThrow(/^400 .*MALFORMED_REQUEST/);
    await expect(pull(database, { query: 'SELECT v FROM nowhere' })).rejects.toThrow(/^400 .*no such table/);
    await expect(pull(database, { query: 'SELECT 1; SELECT 2' })).rejects.toThrow(/^400 .*SQL_MANY_STATEMENTS/);
    await expect(pull(database, { query: "ATTACH '/etc/passwd' AS x" })).rejects.toThrow(/^400 /);
    const { status, text } = await node.post(database, 'pull-updates', 'no protobuf');
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([400, 'MALFORMED_REQUEST']);
    const read = await fetch(`${database.url}pull-updates`, { headers: { authorization: `Bearer ${database.token}` } });
    expect(read.status).toBe(405);
  });
});

it('what was sent is counted', async () => {
  const database = await node.createDatabase('counted');
  const before = await node.counted('synced_bytes_total');
  const { databasePages } = await pull(database, {});
  expect((await node.counted('synced_bytes_total')) - before).toBeGreaterThanOrEqual(databasePages * 4096);
});
