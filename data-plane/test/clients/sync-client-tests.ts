/** What every client of Turso Sync in another language has to do, unchanged, against a real node. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newClientKey } from '../support/client-keys.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { SyncClient, type ReplicaOptions } from './sync-client.js';

export interface ClientUnderTest {
  readonly language: string;
  /** The program that does the steps, with its arguments. */
  readonly command: readonly string[];
  /** Why there is no client to test; undefined when there is one. */
  readonly missing: string | undefined;
  readonly howToInstall: string;
}

export function testSyncClient({ language, command, missing, howToInstall }: ClientUnderTest): void {
  describe(`Turso Sync for ${language}`, () => {
    if (missing !== undefined) {
      const note = `skipped: ${missing}, see ${howToInstall}`;
      it(note, () => {
        process.stderr.write(`Turso Sync for ${language}: ${note}\n`);
      });
      return;
    }
    let node: DataNode;
    let client: SyncClient;
    let directory: string;
    beforeAll(async () => {
      node = await DataNode.start();
      client = new SyncClient(command);
      directory = await mkdtemp(join(tmpdir(), 'turso-byoc-sync-client-'));
    }, 120_000);
    afterAll(async () => {
      await client.kill();
      await node.dispose();
      await rm(directory, { recursive: true, force: true });
    });

    const connect = async (name: string, database: TestDatabase, options: ReplicaOptions = {}): Promise<unknown> =>
      client.do({
        do: 'connect',
        name,
        path: join(directory, `${name}.db`),
        url: database.url.replace(/\/$/, ''),
        token: database.token,
        ...options,
      });
    const run = async (name: string, sql: string, ...parameters: unknown[]): Promise<unknown> =>
      client.do({ do: 'run', name, sql, parameters });
    const sync = async (name: string, what: 'push' | 'pull' | 'checkpoint'): Promise<unknown> =>
      client.do({ do: what, name });

    it.each(['libsql', 'tursodb'] as const)(
      'replicates a database, pushes what it wrote, and pulls what others wrote, %s',
      async (engine) => {
        const database = await node.createDatabase(`both-ways-${engine}`, engine);
        await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v)', "INSERT INTO t VALUES (1, 'there')");
        const [one, two] = [`one-${engine}`, `two-${engine}`];
        await connect(one, database);
        await connect(two, database);
        expect(await run(one, 'SELECT v FROM t')).toEqual([['there']]);
        await run(one, 'INSERT INTO t VALUES (?, ?), (?, ?)', 2, 'pythön', 3, null);
        await run(one, 'UPDATE t SET v = 1.5 WHERE id = 1');
        expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
        await sync(one, 'push');
        expect(await node.run(database, 'SELECT id, v FROM t ORDER BY id')).toEqual([
          ['1', 1.5],
          ['2', 'pythön'],
          ['3', null],
        ]);
        expect(await sync(two, 'pull')).toBe(true);
        expect(await run(two, 'SELECT id, v FROM t ORDER BY id')).toEqual([
          [1, 1.5],
          [2, 'pythön'],
          [3, null],
        ]);
        expect(await sync(two, 'pull')).toBe(false);
        await node.run(database, 'DELETE FROM t WHERE id = 3');
        await sync(one, 'pull');
        await sync(one, 'checkpoint');
        expect(await run(one, 'SELECT count(*) FROM t')).toEqual([[2]]);
        // Who pushes last wins.
        await run(one, "UPDATE t SET v = 'one' WHERE id = 2");
        await run(two, "UPDATE t SET v = 'two' WHERE id = 2");
        await sync(one, 'push');
        await sync(two, 'push');
        expect(await node.run(database, 'SELECT v FROM t WHERE id = 2')).toEqual([['two']]);
      },
      120_000,
    );

    it.each(['libsql', 'tursodb'] as const)(
      'pushes tables, indexes, blobs and large integers that it made, %s',
      async (engine) => {
        const database = await node.createDatabase(`made-${engine}`, engine);
        const [maker, reader] = [`maker-${engine}`, `reader-${engine}`];
        await connect(maker, database);
        await run(maker, 'CREATE TABLE made (id INTEGER PRIMARY KEY, n INTEGER, b BLOB)');
        await run(maker, 'CREATE INDEX made_n ON made (n)');
        await run(maker, "INSERT INTO made VALUES (1, 9223372036854775807, x'00ff')");
        await run(maker, 'ALTER TABLE made ADD COLUMN later TEXT');
        await run(maker, "UPDATE made SET later = 'yes'");
        await sync(maker, 'push');
        const asked = 'SELECT CAST(n AS TEXT), hex(b), later FROM made INDEXED BY made_n WHERE n > 0';
        expect(await node.run(database, asked)).toEqual([['9223372036854775807', '00FF', 'yes']]);
        await connect(reader, database);
        expect(await run(reader, asked)).toEqual([['9223372036854775807', '00FF', 'yes']]);
      },
      120_000,
    );

    it('keeps what it did not push when its process is killed', async () => {
      const database = await node.createDatabase('killed');
      await node.run(database, 'CREATE TABLE t (v)');
      await connect('killed', database);
      await run('killed', "INSERT INTO t VALUES ('not pushed')");
      await client.kill();
      client = new SyncClient(command);
      await connect('killed', database);
      await sync('killed', 'push');
      expect(await node.run(database, 'SELECT v FROM t')).toEqual([['not pushed']]);
    }, 120_000);

    it('begins without the server, and joins what is there', async () => {
      const database = await node.createDatabase('joined');
      await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v)', "INSERT INTO t VALUES (1, 'server')");
      await connect('joined', database, { bootstrap: false });
      await run('joined', 'CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)');
      await run('joined', "INSERT INTO t VALUES (2, 'device')");
      await sync('joined', 'push');
      expect(await sync('joined', 'pull')).toBe(true);
      const both = [['server'], ['device']];
      expect(await run('joined', 'SELECT v FROM t ORDER BY id')).toEqual(both);
      expect(await node.run(database, 'SELECT v FROM t ORDER BY id')).toEqual(both);
    }, 120_000);

    it('waits for changes', async () => {
      const database = await node.createDatabase('waiting');
      await node.run(database, 'CREATE TABLE t (v)');
      await connect('waiting', database, { longPollMs: 20_000 });
      const pulled = sync('waiting', 'pull');
      await node.run(database, "INSERT INTO t VALUES ('at last')");
      expect(await pulled).toBe(true);
      expect(await run('waiting', 'SELECT v FROM t')).toEqual([['at last']]);
    }, 120_000);

    it.each([
      ['by length', 'prefix', { prefix: 128 * 1024 }],
      ['by query', 'query', { query: 'SELECT v FROM t WHERE id = 1' }],
    ] as const)(
      'begins with a part of a database, chosen %s, and fetches what it reads',
      async (_, name, options) => {
        const database = await node.createDatabase(`partial-${name}`);
        const fill = (table: string): string =>
          `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO ${table} SELECT i, hex(randomblob(200)) FROM n`;
        await node.run(
          database,
          'CREATE TABLE t (id INTEGER PRIMARY KEY, v)',
          'CREATE TABLE u (id INTEGER PRIMARY KEY, v)',
          fill('t'),
          fill('u'),
        );
        const [[bytes]] = (await node.run(
          database,
          'SELECT page_count * page_size FROM pragma_page_count, pragma_page_size',
        )) as [[string]];
        const before = await node.counted('synced_bytes_total');
        await connect(name, database, options);
        expect((await node.counted('synced_bytes_total')) - before).toBeLessThan(0.6 * Number(bytes));
        const [[wanted]] = (await node.run(database, 'SELECT v FROM u WHERE id = 1900')) as [[string]];
        expect(await run(name, 'SELECT v FROM u WHERE id = 1900')).toEqual([[wanted]]);
        expect(await run(name, 'SELECT count(*) FROM t')).toEqual([[2000]]);
        await run(name, "UPDATE t SET v = 'in part' WHERE id = 1000");
        await sync(name, 'push');
        expect(await node.run(database, 'SELECT v FROM t WHERE id = 1000')).toEqual([['in part']]);
      },
      120_000,
    );

    it.each([
      ['libsql', 'aegis256'],
      ['tursodb', 'aes256gcm'],
    ] as const)(
      'replicates a database whose key it holds, and is refused with another, %s, %s',
      async (engine, cipher) => {
        const key = newClientKey(cipher);
        const name = `keyed-${engine}`;
        const database = await node.createDatabase(name, engine, { encryption: { key, cipher } });
        const keyed = { ...database, headers: { 'x-turso-encryption-key': key } };
        await node.run(keyed, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v)', "INSERT INTO t VALUES (1, 'server')");
        await connect(name, database, { key, cipher });
        await run(name, "INSERT INTO t VALUES (2, 'device')");
        await sync(name, 'push');
        await node.run(keyed, "UPDATE t SET v = 'changed' WHERE id = 1");
        await sync(name, 'pull');
        expect(await run(name, 'SELECT v FROM t ORDER BY id')).toEqual([['changed'], ['device']]);
        expect(await node.run(keyed, 'SELECT v FROM t ORDER BY id')).toEqual([['changed'], ['device']]);
        const other = newClientKey(cipher);
        await expect(connect(`${name}-other`, database, { key: other, cipher })).rejects.toThrow(
          'ENCRYPTION_KEY_WRONG',
        );
      },
      120_000,
    );

    it('is told why a token is refused', async () => {
      const database = await node.createDatabase('refused');
      await expect(connect('refused', { ...database, token: 'no.such.token' })).rejects.toThrow(/401|AUTH|token/i);
    });
  });
}
