/**
 * What docs/developers.md promises to programs, with the official clients. Statements there name these cases; the samples are
 * run as they stand there. Two nodes share every database; clients reach them through a load balancer, in turn.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createClient, type Client, type Config, type InStatement } from '@libsql/client';
import { connect, type Connection } from '@tursodatabase/serverless';
import { Balancer } from '../cluster/balancer.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { guideSamples, SampleProject } from './guide-samples.js';
import { LossyProxy, type Loss } from './lossy-proxy.js';

interface WriteOnce {
  readonly mayBeSentAgain: (error: unknown) => boolean;
  readonly writeOnce: (db: Client, id: string, statements: InStatement[], patienceMs?: number) => Promise<void>;
}

/** No statement of these cases takes long; what has no end is stopped soon. */
const settings = { ...sharedLease, TURSO_BYOC_STATEMENT_DEADLINE_MS: '1500', TURSO_BYOC_ENGINE_PROCESSES: '1' };

let first: DataNode;
let second: DataNode;
let balancer: Balancer;
let project: SampleProject;
let sendAgain: WriteOnce;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  first = await DataNode.start(settings);
  second = await first.startBeside();
  balancer = await Balancer.start({ targets: [first.url, second.url], checkEveryMs: 100, checkTimeoutMs: 2_000 });
  project = new SampleProject();
  const module = project.place(guideSamples.find(({ file }) => file === 'write-once.mjs')!);
  sendAgain = (await import(pathToFileURL(module).href)) as WriteOnce;
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

afterAll(async () => {
  await balancer.close();
  await second.end('SIGKILL');
  await first.dispose();
  project.remove();
});

/** A database under the address that `base` gives it. */
async function createDatabase(name: string, base = balancer.url): Promise<TestDatabase> {
  const database = await first.createDatabase(name);
  return { ...database, url: `${base}/db/${name}-test/` };
}

function client({ url, token }: { url: string; token: string }, config: Partial<Config> = {}): Client {
  const made = createClient({ url, authToken: token, ...config });
  closers.push(() => made.close());
  return made;
}

function serverless({ url, token }: { url: string; token: string }): Connection {
  const made = connect({ url, authToken: token });
  closers.push(async () => made.close().catch(() => undefined));
  return made;
}

async function lossyProxy(): Promise<LossyProxy> {
  const proxy = await LossyProxy.start(balancer.url);
  closers.push(async () => proxy.close());
  return proxy;
}

const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  );

async function numbers(db: Client): Promise<unknown[]> {
  const { rows } = await db.execute('SELECT n FROM t ORDER BY n');
  return rows.map(({ n }) => n);
}

describe('samples of the guide', () => {
  const programs = guideSamples.filter(({ file }) => file === undefined);
  let printed: string[][];

  beforeAll(async () => {
    const databases = await Promise.all(programs.map(async ({ line }) => createDatabase(`sample-${line}`, second.url)));
    printed = await project.run(
      programs.map((sample, index) => ({ sample, url: databases[index]!.url, token: databases[index]!.token })),
    );
  });

  test('are there', () => expect(programs.length).toBeGreaterThan(5));

  test.each(programs.map(({ line }, index) => [line, index]))('line %i prints what it says', (_line, index) => {
    expect(programs[index]?.prints.length).toBeGreaterThan(0);
    expect(printed[index]).toEqual(programs[index]?.prints);
  });
});

describe('addresses, errors and values', () => {
  test('addresses by path', async () => {
    const { url, token } = await createDatabase('addresses');
    const without = url.slice(0, -1);
    const tls = `${url.replace(/^http/, 'libsql')}?tls=0`;
    for (const each of [url, tls]) {
      expect((await client({ url: each, token }).execute('SELECT 1 AS n')).rows[0]?.['n']).toBe(1);
    }
    expect(await codeOf(client({ url: without, token }).execute('SELECT 1'))).toBe('ROUTE_NOT_FOUND');
    for (const each of [url, without])
      expect(await serverless({ url: each, token }).get('SELECT 1 AS n')).toEqual({ n: 1 });
  });

  test('codes of errors in each client', async () => {
    const database = await createDatabase('codes');
    const db = client(database);
    const other = serverless(database);
    await db.execute('CREATE TABLE t (n INTEGER NOT NULL UNIQUE)');
    await db.execute('INSERT INTO t VALUES (1)');
    for (const each of [db.execute('INSERT INTO t VALUES (1)'), other.run('INSERT INTO t VALUES (1)')]) {
      await expect(each).rejects.toMatchObject({
        code: 'SQLITE_CONSTRAINT',
        message: expect.stringContaining('UNIQUE constraint failed: t.n') as unknown,
      });
    }
    expect(await codeOf(db.execute('INSERT INTO t VALUES (NULL)'))).toBe('SQLITE_CONSTRAINT');
    // A whole request that fails: by its token.
    const expired = { ...database, token: await first.token({ id: database.id, exp: 1 }) };
    expect(await codeOf(client(expired).execute('SELECT 1'))).toBe('AUTH_JWT_EXPIRED');
    await expect(serverless(expired).run('SELECT 1')).rejects.toMatchObject({
      code: undefined,
      message: expect.stringMatching(/expired/) as unknown,
    });
    await expect(serverless(expired).prepare('SELECT 1')).rejects.toMatchObject({
      code: undefined,
      message: 'HTTP error! status: 401',
    });
    const { text } = await first.post(first.here(expired), 'v2/pipeline', '{"requests":[]}');
    expect(JSON.parse(text)).toMatchObject({
      code: 'AUTH_JWT_EXPIRED',
      remedy: expect.stringMatching(/Mint/) as unknown,
    });
  });

  test('what a refused statement leaves behind', async () => {
    const db = client(await createDatabase('refusals'));
    await db.execute('CREATE TABLE t (n INTEGER PRIMARY KEY)');
    await expect(db.execute('INSERT INTO t VALUES (1), (2), (1)')).rejects.toThrow(/UNIQUE/);
    expect(await numbers(db)).toEqual([]);
    await expect(db.execute('INSERT OR FAIL INTO t VALUES (3), (4), (3)')).rejects.toThrow(/UNIQUE/);
    expect(await numbers(db)).toEqual([3, 4]);
    await expect(db.executeMultiple('INSERT INTO t VALUES (5); INSERT INTO t VALUES (5)')).rejects.toThrow(/UNIQUE/);
    await expect(db.batch(['INSERT INTO t VALUES (6)', 'INSERT INTO t VALUES (6)'], 'write')).rejects.toThrow(/UNIQUE/);
    expect(await numbers(db)).toEqual([3, 4, 5]);
  });

  test('a token that has expired', async () => {
    const database = await createDatabase('expired');
    const expired = { ...database, token: await first.token({ id: database.id, exp: 1 }) };
    expect(await codeOf(client(expired).execute('SELECT 1'))).toBe('AUTH_JWT_EXPIRED');
    expect(await codeOf(client(database).execute('SELECT 1'))).toBe('no error');
  });

  test('a refused connection', async () => {
    const { token } = await createDatabase('refused');
    // Nobody listens there: the port was given back.
    const proxy = await LossyProxy.start(balancer.url);
    const { url } = proxy;
    await proxy.close();
    const error: unknown = await client({ url, token })
      .execute('SELECT 1')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNREFUSED' } });
    expect(sendAgain.mayBeSentAgain(error)).toBe(true);
  });

  test('integers beyond what a number holds', async () => {
    const database = await createDatabase('integers');
    const sql = 'SELECT 9007199254740993 AS n';
    await expect(client(database).execute(sql)).rejects.toThrow(/safely/);
    expect((await client(database, { intMode: 'bigint' }).execute(sql)).rows[0]?.['n']).toBe(9007199254740993n);
    expect(await serverless(database).get(sql)).toEqual({ n: 9007199254740992 });
    const safe = serverless(database);
    safe.defaultSafeIntegers(true);
    expect(await safe.get(sql)).toEqual({ n: 9007199254740993n });
  });

  test('PRAGMAs and statements that differ', async () => {
    const db = client(await createDatabase('differs'));
    await db.execute('PRAGMA user_version = 7');
    await db.execute('PRAGMA application_id = 8');
    expect((await db.execute('PRAGMA user_version')).rows[0]?.['user_version']).toBe(7);
    expect((await db.execute('PRAGMA journal_mode')).rows).toHaveLength(1);
    for (const sql of ['VACUUM', "ATTACH 'x' AS y", 'BEGIN CONCURRENT']) {
      expect([sql, await codeOf(db.execute(sql))]).toEqual([sql, 'SQL_REFUSED']);
    }
  });

  test('rows_read is what came back', async () => {
    const database = await createDatabase('metered');
    await first.run(first.here(database), 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
    const { body } = await first.pipeline(first.here(database), [
      { type: 'execute', stmt: { sql: 'SELECT n FROM t WHERE n > 2' } },
    ]);
    expect(body.results[0]?.response?.result).toMatchObject({ rows_read: 1 });
  });
});

describe('transactions', () => {
  test('every request of a transaction may go to another node', async () => {
    const database = await createDatabase('travels');
    const db = client(database);
    await db.execute('CREATE TABLE t (n)');
    const before = await Promise.all([first, second].map(async (node) => node.counted('requests_total')));
    const transaction = await db.transaction('write');
    for (let n = 1; n <= 6; n++) await transaction.execute({ sql: 'INSERT INTO t VALUES (?)', args: [n] });
    // Nobody else sees it before it commits.
    expect(await numbers(db)).toEqual([]);
    await transaction.commit();
    expect(await numbers(db)).toEqual([1, 2, 3, 4, 5, 6]);
    const other = serverless(database);
    const insertThree = other.transactionAsync(async (transaction) => {
      for (let n = 7; n <= 9; n++) await transaction.run('INSERT INTO t VALUES (?)', n);
    }) as { immediate: () => Promise<void> };
    await insertThree.immediate();
    expect(await numbers(db)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const after = await Promise.all([first, second].map(async (node) => node.counted('requests_total')));
    for (const [index, count] of after.entries()) expect(count - before[index]!).toBeGreaterThan(4);
  });

  test('a read transaction sees one state, and refuses writes', async () => {
    const db = client(await createDatabase('reads'));
    await db.batch(['CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)'], 'write');
    const read = await db.transaction('read');
    const count = async (): Promise<unknown> => (await read.execute('SELECT count(*) AS n FROM t')).rows[0]?.['n'];
    expect(await count()).toBe(1);
    await db.execute('INSERT INTO t VALUES (2)');
    expect(await count()).toBe(1);
    expect(await codeOf(read.execute('INSERT INTO t VALUES (3)'))).toBe('SQLITE_READONLY');
    read.close();
    expect(await numbers(db)).toEqual([1, 2]);
  });

  // Five seconds are no setting. They are waited for once, by everybody who needs them.
  test('a transaction that takes too long is rolled back as a whole', async () => {
    const db = client(await createDatabase('slow'));
    await db.execute('CREATE TABLE t (n)');
    const slow = await db.transaction('write');
    await slow.execute('INSERT INTO t VALUES (1)');
    await delay(5_300);
    expect(await codeOf(slow.execute('INSERT INTO t VALUES (2)'))).toBe('TRANSACTION_TIMEOUT');
    expect(await codeOf(slow.commit())).toBe('TRANSACTION_TIMEOUT');
    expect(await numbers(db)).toEqual([]);
  });

  test('a second writer waits, then is told so', async () => {
    const db = client(await createDatabase('busy'));
    await db.execute('CREATE TABLE t (n)');
    // The lock passes from one to the next, in the order in which they came; the last one has waited five seconds.
    const held = await db.transaction('write');
    await held.execute('INSERT INTO t VALUES (1)');
    const next = await db.transaction('write');
    const nextHas = next.execute('INSERT INTO t VALUES (2)');
    await delay(50);
    const last = db.batch(['INSERT INTO t VALUES (3)'], 'write').catch((error: unknown) => error);
    await delay(2_500);
    await held.commit();
    await nextHas;
    const error = await last;
    expect(error).toMatchObject({ code: 'TRANSACTION_BUSY' });
    expect(sendAgain.mayBeSentAgain(error)).toBe(true);
    next.close();
    expect(await numbers(db)).toEqual([1]);
  });
});

describe('answers that are lost', () => {
  const losses: Loss[] = ['cut', 'bad gateway', 'late'];

  /** A database behind a proxy, and a client that waits a little for its answers. */
  async function behindProxy(name: string): Promise<{ proxy: LossyProxy; lossy: Client; direct: Client }> {
    const proxy = await lossyProxy();
    const database = await createDatabase(name);
    const direct = client(database);
    await direct.batch(['CREATE TABLE writes (id TEXT PRIMARY KEY)', 'CREATE TABLE t (n)'], 'write');
    const lossy = client(
      { ...database, url: database.url.replace(balancer.url, proxy.url) },
      { fetch: async (request: Request) => fetch(request, { signal: AbortSignal.timeout(3_000) }) },
    );
    return { proxy, lossy, direct };
  }

  test('an answer that is lost on its way', async () => {
    const { proxy, lossy, direct } = await behindProxy('lost');
    for (const [n, loss] of losses.entries()) {
      proxy.losses.push(loss);
      const error: unknown = await lossy
        .execute({ sql: 'INSERT INTO t VALUES (?)', args: [n] })
        .catch((thrown: unknown) => thrown);
      expect([loss, sendAgain.mayBeSentAgain(error)]).toEqual([loss, true]);
      // It took effect all the same; the client sent it once.
      expect(proxy.served).toBe(n + 1);
      expect(await numbers(direct)).toHaveLength(n + 1);
    }
  });

  test('a named write happens once, however many answers are lost', async () => {
    const { proxy, lossy, direct } = await behindProxy('named');
    await sendAgain.writeOnce(lossy, 'first', ['INSERT INTO t VALUES (1)']);
    for (const loss of losses) {
      proxy.losses.push(loss, 'cut');
      await sendAgain.writeOnce(lossy, `write ${loss}`, ['INSERT INTO t VALUES (2)', 'INSERT INTO t VALUES (3)']);
    }
    expect(proxy.served).toBe(1 + 3 * losses.length);
    expect(await numbers(direct)).toEqual([1, 2, 2, 2, 3, 3, 3]);
    // What cannot work is not sent again.
    await expect(sendAgain.writeOnce(lossy, 'wrong', ['INSERT INTO nowhere VALUES (1)'])).rejects.toThrow(
      /no such table/,
    );
    await sendAgain.writeOnce(lossy, 'wrong', ['INSERT INTO t VALUES (4)']);
    expect(await numbers(direct)).toContain(4);
  });

  test('a read behind lost answers is sent again', async () => {
    const { proxy, lossy } = await behindProxy('reads-again');
    proxy.losses.push('cut', 'bad gateway');
    const codes: boolean[] = [];
    let rows: unknown;
    while (rows === undefined) {
      try {
        ({ rows } = await lossy.execute('SELECT count(*) AS n FROM t'));
      } catch (error) {
        codes.push(sendAgain.mayBeSentAgain(error));
      }
    }
    expect(codes).toEqual([true, true]);
    expect(rows).toEqual([{ n: 0 }]);
  });
});

// The last ones: they end a node.
describe('the end of a node', () => {
  /** A database with the node that serves it, and the other one. */
  async function owned(name: string): Promise<{ database: TestDatabase; owner: DataNode; other: DataNode }> {
    const nodes = [first, second];
    const open = async (): Promise<number[]> => Promise.all(nodes.map(async (node) => node.counted('open_databases')));
    // Databases of other cases may change hands, or be closed, at the same moment: then another one is made.
    for (let attempt = 1; ; attempt++) {
      const before = await open();
      const database = await createDatabase(`${name}-${attempt}`);
      await client(database).batch(['CREATE TABLE writes (id TEXT PRIMARY KEY)', 'CREATE TABLE t (n)'], 'write');
      const more = (await open()).map((count, index) => count - before[index]!);
      if (more.join() === '1,0') return { database, owner: first, other: second };
      if (more.join() === '0,1') return { database, owner: second, other: first };
    }
  }

  test('the death of a node, seen by a client that sends again', async () => {
    const { database, owner } = await owned('mourned');
    const db = client(database);
    const sockets = client({ ...database, url: owner.here(database).url.replace(/^http/, 'ws') });
    await sockets.execute('SELECT 1');
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let n = 0; n < 25; n++) {
        const number = 1_000 * writer + n;
        await sendAgain.writeOnce(db, `write-${number}`, [{ sql: 'INSERT INTO t VALUES (?)', args: [number] }]);
        if (writer === 0 && n === 10) await owner.end('SIGKILL');
      }
    });
    await Promise.all(writers);
    const sent = [0, 1, 2, 3].flatMap((writer) => Array.from({ length: 25 }, (_, n) => 1_000 * writer + n));
    expect(await numbers(db)).toEqual(sent);
    await owner.restart();
    expect((await sockets.execute('SELECT count(*) AS n FROM t')).rows[0]?.['n']).toBe(sent.length);
  });

  test('a transaction does not outlive its node', async () => {
    const { database, owner, other } = await owned('bereft');
    const travelling = client({ ...database, url: other.here(database).url });
    const run = async (afterFirst: () => Promise<void>): Promise<void> => {
      const transaction = await travelling.transaction('write');
      try {
        await transaction.execute('INSERT INTO t VALUES (1)');
        await afterFirst();
        await transaction.execute('INSERT INTO t VALUES (2)');
        await transaction.commit();
      } finally {
        transaction.close();
      }
    };
    expect(await codeOf(run(async () => owner.end('SIGKILL')))).toMatch(/^(STREAM_EXPIRED|OUTCOME_UNKNOWN)$/);
    await run(async () => undefined);
    expect(await numbers(travelling)).toEqual([1, 2]);
  });
});
