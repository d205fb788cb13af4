/** Uploads of SQLite files to a real node: whole, in chunks, killed at every chunk, and refused. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyDatabaseImage } from '@turso-byoc/data-plane/storage/empty-database.js';
import { uploadChunkBytes } from '@turso-byoc/data-plane/storage/uploaded-image.js';
import { newClientKey, withKey } from '../support/client-keys.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { fillShop, sampleFile } from '../support/sample-file.js';

let node: DataNode;
let file: Buffer;

beforeAll(async () => {
  node = await DataNode.start();
  file = await sampleFile(fillShop(9_000));
}, 60_000);

afterAll(async () => node.dispose());

let count = 0;
const awaiting = async (more: object = {}): Promise<TestDatabase> =>
  node.createDatabase(`up-${count++}`, 'libsql', { awaitsFile: true, ...more });

interface Answer {
  readonly status: number;
  readonly body: any;
}

async function send(
  database: TestDatabase,
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(database.url + path, {
    method,
    headers: { authorization: `Bearer ${database.token}`, ...headers },
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

const start = async (database: TestDatabase, bytes = file): Promise<Answer> =>
  send(database, 'PUT', 'v2/upload/start', JSON.stringify({ db_size_bytes: bytes.length }));
const chunkOf = (chunk: number, bytes = file): Buffer =>
  bytes.subarray(chunk * uploadChunkBytes, (chunk + 1) * uploadChunkBytes);
const sendChunk = async (database: TestDatabase, upload: string, chunk: number, bytes = file): Promise<Answer> =>
  send(database, 'PUT', `v2/upload/${upload}/chunk/${chunk}`, chunkOf(chunk, bytes));
const finalize = async (database: TestDatabase, upload: string): Promise<Answer> =>
  send(database, 'PUT', `v2/upload/${upload}/finalize`);

async function upload(database: TestDatabase, bytes: Buffer): Promise<Answer> {
  const begun = await start(database, bytes);
  if (begun.status !== 200) return begun;
  for (let chunk = 0; chunk * uploadChunkBytes < bytes.length; chunk++) {
    const stored = await sendChunk(database, begun.body.upload_id, chunk, bytes);
    if (stored.status !== 200) return stored;
  }
  return finalize(database, begun.body.upload_id);
}

/** The file as the node exports it. */
async function exported(database: TestDatabase): Promise<Buffer> {
  const authorization = `Bearer ${database.token}`;
  const info = (await (await fetch(`${database.url}info`, { headers: { authorization } })).json()) as {
    current_generation: number;
  };
  const answer = await fetch(`${database.url}export/${info.current_generation}`, { headers: { authorization } });
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

const objectsOf = async ({ id }: TestDatabase): Promise<string[]> => {
  const directory = join(node.storeDirectory, 'data');
  const names = await readdir(directory, { recursive: true }).catch(async () =>
    readdir(node.storeDirectory, { recursive: true }),
  );
  return names.filter((name) => name.includes(id) && name.includes('segments-'));
};

test('a file in chunks becomes the database, byte for byte, whatever dies in between', async () => {
  const database = await awaiting();
  const chunks = Math.ceil(file.length / uploadChunkBytes);
  expect(chunks).toBeGreaterThan(2);
  const { status, body } = await start(database);
  expect([status, body.chunk_size]).toEqual([200, uploadChunkBytes]);
  for (let chunk = 0; chunk < chunks; chunk++) {
    // Killed while the chunk is under way: it is sent again, and may be there already.
    const sending = sendChunk(database, body.upload_id, chunk).catch(() => undefined);
    await node.end('SIGKILL');
    await sending;
    await node.restart();
    const refused = await node.pipeline(database, [{ type: 'execute', stmt: { sql: 'SELECT 1' } }]);
    expect([refused.status, refused.body.code]).toEqual([409, 'DATABASE_AWAITS_FILE']);
    expect(await sendChunk(database, body.upload_id, chunk)).toMatchObject({ status: 200 });
  }
  const finishing = finalize(database, body.upload_id).catch(() => undefined);
  await node.end('SIGKILL');
  await finishing;
  await node.restart();
  expect(await finalize(database, body.upload_id)).toMatchObject({ status: 200 });
  // Its answer may have been lost.
  expect(await finalize(database, body.upload_id)).toMatchObject({ status: 200 });
  expect((await exported(database)).equals(file)).toBe(true);
  expect(await node.run(database, 'SELECT count(*), sum(length(note)) FROM items')).toEqual([['9000', '8064000']]);
  expect(await node.run(database, "SELECT count(*) FROM notes('pears')")).toEqual([['1']]);
  await node.run(database, 'INSERT INTO sales (item, at) VALUES (1, 2)');
  await node.end('SIGKILL');
  await node.restart();
  expect(await node.run(database, 'SELECT CAST(price AS INTEGER) FROM items WHERE id = 1')).toEqual([['1']]);
}, 120_000);

test('a file in one body becomes the database', async () => {
  const database = await awaiting();
  const small = await sampleFile(fillShop(100));
  expect(await send(database, 'POST', 'v1/upload', small)).toMatchObject({ status: 200 });
  expect((await exported(database)).equals(small)).toBe(true);
  expect(await send(database, 'POST', 'v1/upload', small)).toMatchObject({
    status: 409,
    body: { code: 'UPLOAD_NOT_AWAITED' },
  });
}, 60_000);

test('a file for the Turso engine becomes a database of it', async () => {
  const database = await node.createDatabase(`up-${count++}`, 'tursodb', { awaitsFile: true });
  const plain = await sampleFile((db) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('x')"));
  expect(await upload(database, plain)).toMatchObject({ status: 200 });
  expect(await node.run(database, 'SELECT a FROM t')).toEqual([['x']]);
}, 60_000);

test('an upload that is begun anew takes the place of the one before, whose objects are collected', async () => {
  const database = await awaiting();
  const first = await start(database);
  expect(await sendChunk(database, first.body.upload_id, 0)).toMatchObject({ status: 200 });
  const second = await start(database);
  expect(await sendChunk(database, first.body.upload_id, 1)).toMatchObject({ body: { code: 'UPLOAD_NOT_FOUND' } });
  expect(await finalize(database, second.body.upload_id)).toMatchObject({
    status: 409,
    body: { code: 'UPLOAD_INCOMPLETE' },
  });
  expect(await objectsOf(database)).toHaveLength(1);
  expect((await node.admin('POST', `/admin/v1/databases/${database.id}/collect`)).status).toBe(200);
  expect(await objectsOf(database)).toHaveLength(0);
  expect((await node.admin('DELETE', `/admin/v1/databases/${database.id}`)).status).toBe(200);
}, 60_000);

test('a file for a database whose client holds the key, which comes with the chunks only', async () => {
  const cipher = 'aegis256';
  const key = newClientKey(cipher);
  const database = await awaiting({ encryption: { key, cipher } });
  const keyed = await sampleFile(
    (db) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('x')"),
    '',
    emptyDatabaseImage(48),
  );
  const plain = await sampleFile(fillShop(10));
  const headers = { 'x-turso-encryption-key': key, 'x-turso-encryption-cipher': cipher };
  const put = async (upload: string, bytes: Buffer, sent: Record<string, string>): Promise<Answer> =>
    send(database, 'PUT', `v2/upload/${upload}/chunk/0`, bytes, sent);
  const unfit = await start(database, plain);
  expect(await put(unfit.body.upload_id, plain, headers)).toMatchObject({
    status: 400,
    body: { code: 'UPLOAD_INVALID' },
  });
  const { body } = await start(database, keyed);
  expect(await put(body.upload_id, keyed, {})).toMatchObject({ body: { code: 'ENCRYPTION_KEY_REQUIRED' } });
  const wrong = { ...headers, 'x-turso-encryption-key': newClientKey(cipher) };
  expect(await put(body.upload_id, keyed, wrong)).toMatchObject({ body: { code: 'ENCRYPTION_KEY_WRONG' } });
  expect(await put(body.upload_id, keyed, headers)).toMatchObject({ status: 200 });
  expect(await finalize(database, body.upload_id)).toMatchObject({ status: 200 });
  expect(await node.run(withKey(database, key), 'SELECT a FROM t')).toEqual([['x']]);
}, 60_000);

test('chunks may go through any node, and through another than began the upload', async () => {
  const one = await DataNode.start(sharedLease);
  const other = await one.startBeside();
  try {
    const database = await one.createDatabase('through-two', 'libsql', { awaitsFile: true });
    const there = other.here(database);
    const { body } = await start(database);
    for (let chunk = 0; chunk * uploadChunkBytes < file.length; chunk++) {
      expect(await sendChunk(chunk % 2 === 0 ? there : database, body.upload_id, chunk)).toMatchObject({ status: 200 });
    }
    expect(await finalize(there, body.upload_id)).toMatchObject({ status: 200 });
    expect((await exported(there)).equals(file)).toBe(true);
    expect(await other.run(there, 'SELECT count(*) FROM items')).toEqual([['9000']]);
  } finally {
    await other.end('SIGKILL');
    await one.dispose();
  }
}, 60_000);

describe('files that are refused', () => {
  const altered = (bytes: Buffer, change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(bytes);
    change(copy);
    return copy;
  };
  let plain: Buffer;
  beforeAll(async () => {
    plain = await sampleFile(fillShop(50));
  });
  const cases: [string, () => Promise<Buffer> | Buffer, string][] = [
    ['no SQLite file', () => Buffer.alloc(8192, 'x'), 'does not begin like'],
    ['no whole pages', () => plain.subarray(0, 5000), 'multiple'],
    ['nothing', () => Buffer.alloc(0), 'multiple'],
    ['other pages', async () => sampleFile((db) => db.exec('CREATE TABLE t (a)'), 'PRAGMA page_size = 8192'), '8192'],
    ['no WAL mode', () => altered(plain, (copy) => copy.writeUInt16BE(0x0101, 18)), 'WAL mode'],
    [
      'auto-vacuum',
      async () => sampleFile((db) => db.exec('CREATE TABLE t (a)'), 'PRAGMA auto_vacuum = full'),
      'vacuum',
    ],
    ['UTF-16', async () => sampleFile((db) => db.exec('CREATE TABLE t (a)'), "PRAGMA encoding = 'UTF-16'"), 'UTF-8'],
    ['a size that is not its own', () => Buffer.concat([plain, Buffer.alloc(4096)]), 'header says'],
    ['reserved bytes that no cipher has', () => altered(plain, (copy) => copy.writeUInt8(5, 20)), 'reserved'],
    ['a damaged page', () => altered(plain, (copy) => copy.fill(0xa5, 3 * 4096, 4 * 4096)), 'libsql says'],
    ['a truncated schema page', () => altered(plain, (copy) => copy.fill(0, 100, 4096)), 'libsql says'],
  ];
  test.each(cases)(
    '%s',
    async (_, make, reason) => {
      const database = await awaiting();
      const { status, body } = await upload(database, await make());
      expect([status, body.code]).toEqual([400, 'UPLOAD_INVALID']);
      expect(body.message).toContain(reason);
      const after = await node.pipeline(database, [{ type: 'execute', stmt: { sql: 'SELECT 1' } }]);
      expect(after.body.code).toBe('DATABASE_AWAITS_FILE');
      // It goes on awaiting a good one.
      expect(await upload(database, plain)).toMatchObject({ status: 200 });
    },
    60_000,
  );

  test('a schema that the SQL gate refuses', async () => {
    const database = await awaiting();
    const sneaky = await sampleFile((db) => {
      db.exec('CREATE TABLE t (a)');
      db.exec("CREATE TRIGGER sneaky AFTER INSERT ON t BEGIN SELECT writefile('/tmp/x', 'y'); END");
    });
    expect(await upload(database, sneaky)).toMatchObject({ status: 400, body: { code: 'UPLOAD_INVALID' } });
    // It goes on awaiting a good one.
    expect(await upload(database, plain)).toMatchObject({ status: 200 });
  }, 60_000);

  test('requests that are malformed, and those of a token that may only read', async () => {
    const database = await awaiting();
    const answers = [
      await send(database, 'PUT', 'v2/upload/start', '{'),
      await send(database, 'PUT', 'v2/upload/start', '{"db_size_bytes":-1}'),
      await send(database, 'PUT', 'v2/upload/start', JSON.stringify({ db_size_bytes: 2 ** 40 })),
      await send(database, 'PUT', 'v2/upload/none/chunk/0', plain),
      await send(database, 'PUT', 'v2/upload/none/chunk/x', plain),
      await send(database, 'POST', 'v1/upload', Buffer.alloc(10)),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [400, 'MALFORMED_REQUEST'],
      [400, 'MALFORMED_REQUEST'],
      [413, 'UPLOAD_TOO_LARGE'],
      [404, 'UPLOAD_NOT_FOUND'],
      [400, 'MALFORMED_REQUEST'],
      [400, 'UPLOAD_INVALID'],
    ]);
    const { body } = await start(database, plain);
    expect(await send(database, 'PUT', `v2/upload/${body.upload_id}/chunk/0`, plain.subarray(4096))).toMatchObject({
      status: 400,
      body: { code: 'UPLOAD_CHUNK_INVALID' },
    });
    expect(await send(database, 'PUT', `v2/upload/${body.upload_id}/chunk/7`, plain)).toMatchObject({
      status: 400,
      body: { code: 'UPLOAD_CHUNK_INVALID' },
    });
    expect(await sendChunk(database, body.upload_id, 0, plain)).toMatchObject({ status: 200 });
    expect(
      await sendChunk(
        database,
        body.upload_id,
        0,
        altered(plain, (copy) => copy.writeUInt8(1, plain.length - 1)),
      ),
    ).toMatchObject({ status: 409, body: { code: 'UPLOAD_CONFLICT' } });
    const reader = { ...database, token: await node.token({ id: database.id, a: 'ro' }) };
    expect(await start(reader, plain)).toMatchObject({ status: 403, body: { code: 'BLOCKED' } });
  }, 60_000);
});
