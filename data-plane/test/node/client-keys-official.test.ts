/** The official SQL clients with their option for keys that clients hold, as their documentation uses it. */
import { createClient, LibsqlError, type Client } from '@libsql/client';
import { connect } from '@tursodatabase/serverless';
import { cipherNames } from '../../src/keys/ciphers.js';
import { newClientKey } from '../support/client-keys.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '1' });
});
afterAll(async () => node.dispose());

function libsqlClient(database: TestDatabase, remoteEncryptionKey?: string): Client {
  return createClient({
    url: database.url,
    authToken: database.token,
    ...(remoteEncryptionKey !== undefined && { remoteEncryptionKey }),
  });
}

function serverless(database: TestDatabase, remoteEncryptionKey?: string): ReturnType<typeof connect> {
  return connect({
    url: database.url.slice(0, -1),
    authToken: database.token,
    ...(remoteEncryptionKey !== undefined && { remoteEncryptionKey }),
  });
}

describe.each(cipherNames)('a database with the cipher %s', (cipher) => {
  it('is used by both official clients with its key', async () => {
    const key = newClientKey(cipher);
    const engine = cipherNames.indexOf(cipher) % 2 === 0 ? 'libsql' : 'tursodb';
    const database = await node.createDatabase(`official-${cipher}`, engine, { encryption: { key, cipher } });
    const client = libsqlClient(database, key);
    await client.execute('CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)');
    await client.batch(["INSERT INTO t VALUES (1, 'batch')", "INSERT INTO t VALUES (2, 'batch')"], 'write');
    const transaction = await client.transaction('write');
    await transaction.execute("INSERT INTO t VALUES (3, 'transaction')");
    await transaction.commit();
    client.close();
    const connection = serverless(database, key);
    await (await connection.prepare('INSERT INTO t VALUES (?, ?)')).run([4, 'serverless']);
    const rows = await (await connection.prepare('SELECT n, text FROM t ORDER BY n')).all();
    await connection.close();
    expect(rows.map((row: { n: number }) => row.n)).toEqual([1, 2, 3, 4]);
  });
});

describe('a wrong key', () => {
  const cases = async (): Promise<
    [what: string, run: (database: TestDatabase) => Promise<unknown>, status: number, code: string][]
  > => {
    const throughLibsql = (key?: string) => async (database: TestDatabase) =>
      libsqlClient(database, key).execute('SELECT 1');
    return [
      ['none', throughLibsql(), 400, 'ENCRYPTION_KEY_REQUIRED'],
      ['another', throughLibsql(newClientKey('aegis256')), 403, 'ENCRYPTION_KEY_WRONG'],
      ['too short', throughLibsql(newClientKey('aegis128l')), 400, 'ENCRYPTION_KEY_LENGTH'],
      ['no base64', throughLibsql('not base64'), 400, 'ENCRYPTION_KEY_MALFORMED'],
    ];
  };

  it('meets users of @libsql/client with its code and message', async () => {
    const database = await node.createDatabase('wrong-libsql', 'libsql', {
      encryption: { key: newClientKey('aegis256'), cipher: 'aegis256' },
    });
    for (const [what, run, status, code] of await cases()) {
      const error: unknown = await run(database).catch((thrown: unknown) => thrown);
      expect([what, error]).toEqual([what, expect.any(LibsqlError)]);
      const { code: met, message, cause } = error as LibsqlError & { cause?: { status?: number } };
      expect([what, met]).toEqual([what, code]);
      expect(message).toMatch(/encrypt/);
      if (cause?.status !== undefined) expect(cause.status).toBe(status);
    }
    const plain = await node.createDatabase('plain-libsql');
    await expect(libsqlClient(plain, newClientKey('aegis256')).execute('SELECT 1')).rejects.toMatchObject({
      code: 'ENCRYPTION_KEY_UNEXPECTED',
    });
  });

  it('meets users of @tursodatabase/serverless with its message', async () => {
    const database = await node.createDatabase('wrong-serverless', 'libsql', {
      encryption: { key: newClientKey('aegis256'), cipher: 'aegis256' },
    });
    for (const [key, message] of [
      [undefined, /encrypted with a key that its client holds/],
      [newClientKey('aegis256'), /not the encryption key of/],
      [newClientKey('aegis128l'), /the encryption key has 16 bytes/],
      ['not base64', /not standard base64/],
    ] as const) {
      const connection = serverless(database, key);
      await expect(connection.batch(['SELECT 1'])).rejects.toThrow(message);
    }
    const plain = await node.createDatabase('plain-serverless');
    await expect(serverless(plain, newClientKey('aegis256')).batch(['SELECT 1'])).rejects.toThrow(
      /is not encrypted with/,
    );
  });
});
