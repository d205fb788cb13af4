/** The official SQL clients, used as their documentation does, against a whole local system and both engines. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, LibsqlError, type Client } from '@libsql/client';
import { connect } from '@tursodatabase/serverless';
import { createClient as createCompatClient } from '@tursodatabase/serverless/compat';
import Database from 'libsql';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

let local: LocalSystemForTests;

beforeAll(async () => {
  local = await startLocalSystemForTests();
});
afterAll(async () => local.stop());

/** A new database of an engine: its path URL and a token, as the Platform SDK gives them. */
async function newDatabase(name: string, engine: 'libsql' | 'tursodb'): Promise<{ url: string; authToken: string }> {
  // The SDK knows no engine; the wire field is the one that the `turso` CLI sends.
  if (engine === 'libsql') await local.api.databases.create(name, { group: 'default' });
  else await local.call('POST', '/v1/organizations/default/databases', { name, group: 'default', use_tursodb: true });
  const { jwt } = await local.api.databases.createToken(name);
  return { url: `${local.system.dataUrl}/db/${name}-default/`, authToken: jwt };
}

describe.each(['libsql', 'tursodb'] as const)('@libsql/client on %s', (engine) => {
  let client: Client;
  let access: { url: string; authToken: string };

  beforeAll(async () => {
    access = await newDatabase(`libsql-client-${engine}`, engine);
    client = createClient(access);
    await client.execute(
      'CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, picture BLOB, score REAL)',
    );
  });
  afterAll(() => client.close());

  it('executes with positional and named arguments', async () => {
    const inserted = await client.execute({ sql: 'INSERT INTO users (name, score) VALUES (?, ?)', args: ['Iku', 1.5] });
    expect(inserted).toMatchObject({ rowsAffected: 1, lastInsertRowid: 1n });
    await client.execute({ sql: 'INSERT INTO users (name) VALUES (:name)', args: { name: 'Nia' } });
    const { rows, columns } = await client.execute({
      sql: 'SELECT name, score FROM users WHERE name = @name',
      args: { name: 'Iku' },
    });
    expect(columns).toEqual(['name', 'score']);
    expect({ ...rows[0] }).toEqual({ name: 'Iku', score: 1.5 });
  });

  it('keeps every kind of value', async () => {
    const big = createClient({ ...access, intMode: 'bigint' });
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const args = [
      9223372036854775807n,
      -9223372036854775808n,
      0.1,
      'ä"→💾',
      bytes,
      null,
      true,
      new Uint8Array(1),
      new Uint8Array(2),
    ];
    const { rows } = await big.execute({ sql: 'SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?', args });
    const values = Array.from({ length: args.length }, (_, index) => rows[0]?.[index]);
    expect(values.map((value) => (value instanceof ArrayBuffer ? Buffer.from(value).toString('hex') : value))).toEqual([
      9223372036854775807n,
      -9223372036854775808n,
      0.1,
      'ä"→💾',
      Buffer.from(bytes).toString('hex'),
      null,
      1n,
      '00',
      '0000',
    ]);
    big.close();
  });

  it('runs batches as transactions', async () => {
    await client.execute('CREATE TABLE counters (n INTEGER CHECK (n < 10))');
    await client.batch(
      [{ sql: 'INSERT INTO counters VALUES (?)', args: [1] }, 'INSERT INTO counters VALUES (2)'],
      'write',
    );
    await expect(
      client.batch(['INSERT INTO counters VALUES (3)', 'INSERT INTO counters VALUES (99)'], 'write'),
    ).rejects.toThrow(/CHECK/);
    const { rows } = await client.execute('SELECT n FROM counters ORDER BY n');
    expect(rows.map(({ n }) => n)).toEqual([1, 2]);
    const [read] = await client.batch(['SELECT count(*) AS n FROM counters'], 'read');
    expect(read?.rows[0]?.n).toBe(2);
  });

  it('runs interactive transactions', async () => {
    const kept = await client.transaction('write');
    await kept.execute("INSERT INTO users (name) VALUES ('kept')");
    expect((await kept.execute("SELECT count(*) AS n FROM users WHERE name = 'kept'")).rows[0]?.n).toBe(1);
    await kept.commit();
    const undone = await client.transaction('write');
    await undone.execute("INSERT INTO users (name) VALUES ('undone')");
    await undone.rollback();
    const reading = await client.transaction('read');
    expect((await reading.execute("SELECT count(*) AS n FROM users WHERE name IN ('kept', 'undone')")).rows[0]?.n).toBe(
      1,
    );
    await expect(reading.execute("INSERT INTO users (name) VALUES ('never')")).rejects.toThrow();
    reading.close();
  });

  it('runs scripts and migrations', async () => {
    await client.executeMultiple(
      "CREATE TABLE s (a); INSERT INTO s VALUES ('x;y'); -- a comment; with semicolons\nINSERT INTO s VALUES (2);",
    );
    expect((await client.execute('SELECT count(*) AS n FROM s')).rows[0]?.n).toBe(2);
    await client.migrate(['CREATE TABLE m (a)', 'ALTER TABLE m ADD COLUMN b']);
    expect((await client.execute('SELECT a, b FROM m')).columns).toEqual(['a', 'b']);
  });

  it('shows errors with their codes', async () => {
    await expect(client.execute('SELECT * FROM missing')).rejects.toThrow(/no such table: missing/);
    const duplicate: unknown = await client
      .execute("INSERT INTO users (name) VALUES ('Iku')")
      .catch((error: unknown) => error);
    expect(duplicate).toBeInstanceOf(LibsqlError);
    expect((duplicate as LibsqlError).code).toMatch(/^SQLITE_CONSTRAINT/);
    expect((duplicate as LibsqlError).message).toContain('UNIQUE constraint failed: users.name');
    const stranger = createClient({ ...access, authToken: 'not.a.token' });
    await expect(stranger.execute('SELECT 1')).rejects.toMatchObject({ code: 'AUTH_JWT_INVALID' });
  });

  it('reads with a read-only token and writes nothing', async () => {
    const { jwt } = await local.api.databases.createToken(`libsql-client-${engine}`, { authorization: 'read-only' });
    const reader = createClient({ ...access, authToken: jwt });
    expect((await reader.execute('SELECT count(*) AS n FROM users')).rows[0]?.n).toBeGreaterThan(0);
    await expect(reader.execute("INSERT INTO users (name) VALUES ('no')")).rejects.toMatchObject({ code: 'BLOCKED' });
    await expect(reader.batch(["INSERT INTO users (name) VALUES ('no')"], 'write')).rejects.toThrow(/forbidden/);
  });
});

describe.each(['libsql', 'tursodb'] as const)('@tursodatabase/serverless on %s', (engine) => {
  let access: { url: string; authToken: string };

  beforeAll(async () => {
    access = await newDatabase(`serverless-${engine}`, engine);
  });

  it('prepares, gets, iterates', async () => {
    const connection = connect(access);
    await connection.batch([
      'CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT)',
      "INSERT INTO users (email) VALUES ('user@example.com')",
      "INSERT INTO users (email) VALUES ('admin@example.com')",
    ]);
    const statement = await connection.prepare('SELECT * FROM users WHERE id = ?');
    expect(await statement.get([2])).toMatchObject({ id: 2, email: 'admin@example.com' });
    expect(await statement.all([1])).toHaveLength(1);
    const seen: unknown[] = [];
    for await (const row of (await connection.prepare('SELECT email FROM users ORDER BY id')).iterate()) seen.push(row);
    expect(seen).toHaveLength(2);
    await connection.close();
  });

  it('runs transactions', async () => {
    const connection = connect(access);
    await connection.exec('CREATE TABLE IF NOT EXISTS log (a)');
    // Its README still shows this older form.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    await connection.transaction(async () => {
      await connection.run('INSERT INTO log VALUES (?)', 'one');
    })();
    await connection
      .transactionAsync(async (transaction) => {
        await transaction.run('INSERT INTO log VALUES (?)', 'two');
      })
      .immediate();
    const failing = connection.transactionAsync(async (transaction) => {
      await transaction.run('INSERT INTO log VALUES (?)', 'three');
      throw new Error('changed my mind');
    });
    await expect(failing()).rejects.toThrow('changed my mind');
    expect(await connection.get('SELECT count(*) AS n FROM log')).toMatchObject({ n: 2 });
    await connection.close();
  });

  it('shows errors of statements', async () => {
    const connection = connect(access);
    await expect(connection.run('SELECT * FROM missing')).rejects.toThrow(/no such table: missing/);
    await connection.close();
  });

  it('works through its libSQL compatibility layer', async () => {
    const client = createCompatClient(access);
    await client.batch(['CREATE TABLE IF NOT EXISTS compat (a)', { sql: 'INSERT INTO compat VALUES (?)', args: [7] }]);
    expect((await client.execute('SELECT a FROM compat')).rows[0]).toMatchObject({ a: 7 });
    client.close();
  });
});

describe('a database that begins as a file', () => {
  it('is created for an upload, takes it on its own host, and is served', async () => {
    const name = 'uploaded';
    await local.call('POST', '/v1/organizations/default/databases', {
      name,
      group: 'default',
      seed: { type: 'database_upload' },
    });
    const { jwt } = await local.api.databases.createToken(name, { expiration: '5m' });
    const url = `${local.system.dataUrl}/db/${name}-default/`;
    const send = async (path: string, body: Uint8Array | string): Promise<Record<string, unknown>> => {
      const answer = await fetch(url + path, { method: 'PUT', headers: { authorization: `Bearer ${jwt}` }, body });
      expect([path, answer.status]).toEqual([path, 200]);
      return (await answer.json()) as Record<string, unknown>;
    };
    const file = await sampleFile((db) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('from a file')"));
    const { upload_id: upload } = await send('v2/upload/start', JSON.stringify({ db_size_bytes: file.length }));
    await send(`v2/upload/${String(upload)}/chunk/0`, file);
    await send(`v2/upload/${String(upload)}/finalize`, '');
    const client = createClient({ url, authToken: jwt });
    expect((await client.execute('SELECT a FROM t')).rows[0]?.[0]).toBe('from a file');
    client.close();
  });
});

/** A small SQLite file in WAL mode. */
async function sampleFile(fill: (database: Database.Database) => void): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-upload-'));
  try {
    const database = new Database(join(directory, 'file.db'));
    database.exec('PRAGMA journal_mode = wal');
    fill(database);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return await readFile(join(directory, 'file.db'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
