/** The catalog's client against a real data node. */
import { DataNode, type TestDatabase } from '@turso-byoc/data-plane/test/support/data-node.js';
import { HranaClient } from '../src/catalog/hrana-client.js';
import { KeptAlive } from '../src/http-client/kept-alive.js';

let node: DataNode;
let http: KeptAlive;
let database: TestDatabase;
let client: HranaClient;

beforeAll(async () => {
  node = await DataNode.start();
  http = new KeptAlive(10_000, undefined);
  database = await node.createDatabase('catalog');
  client = new HranaClient(database.url, database.token, http);
  await client.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, v)');
}, 120_000);
afterEach(async () => {
  await client.execute('DELETE FROM t');
});
afterAll(async () => {
  http.close();
  await node.dispose();
});

const rows = async (): Promise<unknown[]> => (await client.execute('SELECT id, v FROM t ORDER BY id')).rows;
const insert = (id: number, v: string): { sql: string; args: (string | number)[] } => ({
  sql: 'INSERT INTO t VALUES (?, ?)',
  args: [id, v],
});

test('values come back as they were given', async () => {
  const args = [null, 'tëxt', '', 0, -1, 2 ** 53 - 1, 0.5, 12n];
  const sql = `SELECT ${args.map((_, place) => `? AS c${place}`).join(', ')}`;
  const { columns, rows: found } = await client.execute({ sql, args });
  expect(columns.map((name) => found[0]?.[name])).toEqual([null, 'tëxt', '', 0, -1, 2 ** 53 - 1, 0.5, 12]);
});

test('what the catalog does not hold is refused, not rounded', async () => {
  await expect(client.execute('SELECT 9007199254740993')).rejects.toThrow(RangeError);
  await expect(client.execute("SELECT x'00'")).rejects.toThrow(TypeError);
  await expect(client.execute({ sql: 'SELECT ?', args: [true] })).rejects.toThrow(TypeError);
  await expect(client.execute({ sql: 'SELECT :a', args: { a: 1 } })).rejects.toThrow(TypeError);
});

test('a transaction has one result for each statement', async () => {
  const results = await client.batch([insert(1, 'one'), insert(2, 'two'), 'UPDATE t SET v = v || 1'], 'write');
  expect(results.map(({ rowsAffected }) => rowsAffected)).toEqual([1, 1, 2]);
  expect(results[1]?.lastInsertRowid).toBe(2n);
  expect(await rows()).toMatchObject([{ v: 'one1' }, { v: 'two1' }]);
});

test('a statement that fails takes the whole transaction with it, and what follows it never runs', async () => {
  const failing = client.batch([insert(1, 'one'), insert(1, 'again'), insert(2, 'two')], 'write');
  await expect(failing).rejects.toMatchObject({ name: 'CatalogError', code: 'SQLITE_CONSTRAINT' });
  expect(await rows()).toEqual([]);
});

test('nothing runs outside of the transaction when a statement has ended it', async () => {
  const failing = { sql: 'INSERT OR ROLLBACK INTO t VALUES (?, ?)', args: [1, 'again'] };
  await expect(client.batch([insert(1, 'one'), failing, insert(2, 'two')], 'write')).rejects.toMatchObject({
    code: 'SQLITE_CONSTRAINT',
  });
  await expect(client.batch([insert(1, 'one'), 'ROLLBACK', insert(2, 'two')], 'write')).rejects.toMatchObject({
    code: 'TRANSACTION_CLOSED',
  });
  expect(await rows()).toEqual([]);
});

test('a transaction for reading writes nothing', async () => {
  await expect(client.batch([insert(1, 'one')], 'read')).rejects.toMatchObject({ name: 'CatalogError' });
  expect(await rows()).toEqual([]);
});

test('more repeated statements than a server stores for a stream run as well', async () => {
  const twice = Array.from({ length: 40 }, (_, number) => `SELECT ${number} AS number`);
  const results = await client.batch([...twice, ...twice], 'read');
  const numbers = twice.map((_, number) => number);
  expect(results.map((result) => result.rows[0]?.['number'])).toEqual([...numbers, ...numbers]);
});

test('a request that is refused as a whole says why', async () => {
  const stranger = new HranaClient(database.url, 'no.such.token', http);
  await expect(stranger.execute('SELECT 1')).rejects.toMatchObject({ name: 'CatalogError', status: 401 });
  await expect(stranger.batch(['SELECT 1'], 'read')).rejects.toMatchObject({ status: 401 });
});
