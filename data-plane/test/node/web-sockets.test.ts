import * as hrana from '@libsql/hrana-client';
import { createClient, type Client } from '@libsql/client';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { HranaSocket } from '../support/hrana-socket.js';

const engines = ['libsql', 'tursodb'] as const;

describe.each(engines)('@libsql/client over ws://, %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;
  let client: Client;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('sockets', engine);
    client = createClient({ url: database.url.replace(/^http/, 'ws'), authToken: database.token });
  });

  afterAll(async () => {
    client.close();
    await node.dispose();
  });

  it('statements, batches, migrations and scripts', async () => {
    expect(client.protocol).toBe('ws');
    await client.migrate(['CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT)']);
    const inserted = await client.execute({ sql: 'INSERT INTO t (a, b) VALUES (?, ?)', args: [1n, 'x'] });
    expect([inserted.rowsAffected, inserted.lastInsertRowid]).toEqual([1, 1n]);
    const results = await client.batch(
      [
        { sql: 'INSERT INTO t (a, b) VALUES (:a, :b)', args: { a: new Uint8Array([1, 2]), b: 'y' } },
        'SELECT count(*) AS n FROM t',
      ],
      'write',
    );
    expect(results[1]?.rows[0]?.['n']).toBe(2);
    await expect(
      client.batch(['INSERT INTO t (a) VALUES (9)', 'INSERT INTO nowhere VALUES (1)'], 'write'),
    ).rejects.toThrow(/no such table: nowhere/);
    await client.executeMultiple("INSERT INTO t (b) VALUES ('z;'); INSERT INTO t (b) VALUES (NULL);");
    const { rows } = await client.execute('SELECT a, b FROM t ORDER BY id');
    expect(rows.map(({ a, b }) => [a instanceof ArrayBuffer ? [...new Uint8Array(a)] : a, b])).toEqual([
      [1, 'x'],
      [[1, 2], 'y'],
      [null, 'z;'],
      [null, null],
    ]);
  });

  it('interactive transactions, side by side with other requests of the connection', async () => {
    await client.execute('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INT)');
    const transaction = await client.transaction('write');
    await transaction.execute('INSERT INTO accounts VALUES (1, 100)');
    expect((await client.execute('SELECT count(*) AS n FROM accounts')).rows[0]?.['n']).toBe(0);
    await transaction.commit();
    expect((await client.execute('SELECT count(*) AS n FROM accounts')).rows[0]?.['n']).toBe(1);
    const read = await client.transaction('read');
    await read.execute('SELECT * FROM accounts');
    await expect(read.execute('DELETE FROM accounts')).rejects.toMatchObject({ code: 'SQLITE_READONLY' });
    read.close();
    const left = await client.transaction('write');
    await left.execute('DELETE FROM accounts');
    left.close();
    expect((await client.execute('SELECT count(*) AS n FROM accounts')).rows[0]?.['n']).toBe(1);
  });

  it('many at a time', async () => {
    await client.execute('CREATE TABLE many (n INT)');
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => client.execute({ sql: 'INSERT INTO many VALUES (?)', args: [n] })),
    );
    expect((await client.execute('SELECT count(*) AS n, sum(n) AS s FROM many')).rows[0]).toMatchObject({
      n: 100,
      s: 4950,
    });
  });

  it.each([2, 3] as const)('the protocol’s own client with version %d', async (version) => {
    const own = hrana.openWs(database.url.replace(/^http/, 'ws'), database.token, version);
    expect(await own.getVersion()).toBe(version);
    const stream = own.openStream();
    const batch = stream.batch(version === 3);
    const numbers = 'WITH d (n) AS (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) SELECT a.n FROM d a, d b, d c';
    const rows = batch.step().query(numbers);
    const failing = batch.step().run('INSERT INTO nowhere VALUES (1)');
    failing.catch(() => undefined);
    await batch.execute();
    expect((await rows)?.rows.length).toBe(1000);
    await expect(failing).rejects.toThrow(/no such table: nowhere/);
    const sql = own.storeSql('SELECT ?');
    expect((await stream.queryValue(new hrana.Stmt(sql).bindIndexes(['x']))).value).toBe('x');
    sql.close();
    expect((await stream.describe('SELECT :p AS p')).paramNames).toEqual([':p']);
    if (version === 3) expect(await stream.getAutocommit()).toBe(true);
    await expect(stream.run('SELEC 1')).rejects.toMatchObject({ code: 'SQL_PARSE_ERROR' });
    stream.close();
    own.close();
  });
});

describe('connections over WebSockets', () => {
  let node: DataNode;
  let database: TestDatabase;
  const sockets: HranaSocket[] = [];

  beforeAll(async () => {
    node = await DataNode.start(sharedLease);
    database = await node.createDatabase('sockets');
    await node.run(database, 'CREATE TABLE t (a)');
  });

  afterEach(() => {
    for (const { webSocket } of sockets.splice(0)) webSocket.terminate();
  });

  afterAll(async () => node.dispose());

  async function open(token?: string): Promise<HranaSocket> {
    const socket = await HranaSocket.open(database, token);
    sockets.push(socket);
    return socket;
  }

  async function connect(...options: Parameters<typeof HranaSocket.connect>): Promise<HranaSocket> {
    const socket = await HranaSocket.connect(...options);
    sockets.push(socket);
    return socket;
  }

  async function rows(): Promise<number> {
    return Number((await node.run(database, 'SELECT count(*) FROM t'))[0]?.[0]);
  }

  it.each<[string[], string]>([
    [['hrana3-protobuf', 'hrana2'], 'hrana3-protobuf'],
    [['unknown', 'hrana2', 'hrana1'], 'hrana2'],
    [['hrana1'], 'hrana1'],
    [[], ''],
  ])('of the subprotocols %j it speaks "%s"', async (protocols, chosen) => {
    expect((await connect(database.url, { protocols })).webSocket.protocol).toBe(chosen);
  });

  it('refuses what it does not speak, and other paths, in JSON', async () => {
    await expect(connect(database.url, { protocols: ['graphql-ws'] })).rejects.toThrow('400');
    await expect(connect(`${database.url}nowhere`)).rejects.toThrow('404');
    await connect(`${database.url}v3`);
    const plain = await fetch(`${node.url}/health`, { headers: { connection: 'keep-alive' } });
    expect(plain.status).toBe(200);
  });

  it.each<[string, () => Promise<string> | string | null, string]>([
    ['no token', () => null, 'AUTH_HTTP_HEADER_MISSING'],
    ['no token at all', () => 'x', 'AUTH_JWT_INVALID'],
    ['an expired one', async () => node.token({ id: database.id, exp: 1_700_000_001 }), 'AUTH_JWT_EXPIRED'],
    ['one of another database', async () => (await node.createDatabase('foreign')).token, 'AUTH_FORBIDDEN'],
  ])('a hello with %s', async (_what, token, code) => {
    const socket = await connect(database.url);
    socket.send({ type: 'hello', jwt: await token() });
    socket.sendRequest({ type: 'open_stream', stream_id: 1 });
    expect(await socket.next(() => true)).toMatchObject({ type: 'hello_error', error: { code } });
    expect(await socket.closed).toEqual({ code: 1008, reason: code });
    expect(socket.messages).toEqual([]);
  });

  it('takes the token of the opening request when hello has none', async () => {
    const headers = { authorization: `Bearer ${database.token}` };
    const socket = await connect(database.url, { headers });
    socket.send({ type: 'hello' });
    expect((await socket.next(() => true)).type).toBe('hello_ok');
  });

  it('takes the key that a client holds from the opening request, for every request', async () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const sealed = await node.createDatabase('sealed', 'libsql', { encryption: { key, cipher: 'aes256gcm' } });
    for (const [headers, code] of [
      [{ 'x-turso-encryption-key': key }, undefined],
      [{ 'x-turso-encryption-key': Buffer.alloc(32, 8).toString('base64') }, 'ENCRYPTION_KEY_WRONG'],
      [{}, 'ENCRYPTION_KEY_REQUIRED'],
    ] as const) {
      const socket = await connect(sealed.url, { headers });
      socket.send({ type: 'hello', jwt: sealed.token });
      await socket.openStream(1);
      expect((await socket.execute(1, 'SELECT 1')).error?.code).toBe(code);
    }
  });

  it('a read-only token reads, and writes in no way', async () => {
    const socket = await open(await node.token({ id: database.id, a: 'ro' }));
    await socket.openStream(1);
    expect((await socket.execute(1, 'SELECT count(*) FROM t')).type).toBe('response_ok');
    for (const sql of ['INSERT INTO t VALUES (1)', 'BEGIN IMMEDIATE', 'CREATE TABLE u (a)']) {
      expect((await socket.execute(1, sql)).error?.code).toBe('BLOCKED');
    }
    const batch = { steps: [{ stmt: { sql: 'INSERT INTO t VALUES (1)' } }] };
    await socket.ask({ type: 'open_cursor', stream_id: 1, cursor_id: 1, batch });
    const { response } = await socket.ask({ type: 'fetch_cursor', cursor_id: 1, max_count: 10 });
    expect(response?.['entries']).toMatchObject([{ type: 'step_error', error: { code: 'BLOCKED' } }]);
    expect(await rows()).toBe(0);
  });

  it('a token that expires ends what the connection may do, until a new hello', async () => {
    const expiring = await node.token({ id: database.id, exp: Math.floor(Date.now() / 1000) + 2 });
    const socket = await open(expiring);
    await socket.openStream(1);
    let answer = await socket.execute(1, 'SELECT 1');
    while (answer.type === 'response_ok') {
      await new Promise((resolve) => setTimeout(resolve, 200));
      answer = await socket.execute(1, 'SELECT 1');
    }
    expect(answer.error?.code).toBe('AUTH_JWT_EXPIRED');
    socket.send({ type: 'hello', jwt: database.token });
    expect((await socket.next(() => true)).type).toBe('hello_ok');
    expect((await socket.execute(1, 'SELECT 1')).type).toBe('response_ok');
  });

  it('requests of a stream run in order, those of streams side by side', async () => {
    const socket = await open();
    await socket.openStream(1);
    await socket.openStream(2);
    const sent = ['BEGIN IMMEDIATE', 'INSERT INTO t VALUES (1)', 'ROLLBACK'].map((sql) =>
      socket.sendRequest({ type: 'execute', stream_id: 1, stmt: { sql } }),
    );
    const other = socket.sendRequest({ type: 'execute', stream_id: 2, stmt: { sql: 'INSERT INTO t VALUES (2)' } });
    const order: number[] = [];
    while (order.length < 4) order.push((await socket.next(() => true)).request_id ?? 0);
    expect(order.filter((id) => id !== other)).toEqual(sent);
    expect(await rows()).toBe(1);
    await node.run(database, 'DELETE FROM t');
  });

  it('closing a stream, and losing the connection, roll back what was open', async () => {
    const socket = await open();
    for (const end of [
      async () => socket.ask({ type: 'close_stream', stream_id: 1 }),
      async () => socket.webSocket.terminate(),
    ]) {
      await socket.openStream(1);
      await socket.execute(1, 'BEGIN IMMEDIATE');
      await socket.execute(1, 'INSERT INTO t VALUES (3)');
      await end();
      // The write lock is free again long before the transaction would be too old.
      await node.run(database, 'INSERT INTO t VALUES (4)');
      expect(await node.run(database, 'DELETE FROM t RETURNING a')).toEqual([['4']]);
    }
  });

  it('a transaction that was lost is not followed by a silent autocommit', async () => {
    const socket = await open();
    await socket.openStream(1);
    await socket.execute(1, 'BEGIN IMMEDIATE');
    // Kills the engine process, and the transaction with it.
    const killed = await socket.execute(1, "SELECT CAST(x'ff' AS TEXT)");
    expect(killed.type).toBe('response_error');
    expect((await socket.execute(1, 'INSERT INTO t VALUES (5)')).error?.code).toBe('STREAM_EXPIRED');
    expect((await socket.execute(1, 'COMMIT')).error?.code).toBe('STREAM_EXPIRED');
    await socket.ask({ type: 'close_stream', stream_id: 1 });
    await socket.openStream(1);
    expect((await socket.execute(1, 'SELECT count(*) FROM t')).response?.result.rows[0][0].value).toBe('0');
  });

  it('a stream with state of its own outlives the idle time of streams', async () => {
    const socket = await open();
    await socket.openStream(1);
    await socket.execute(1, 'CREATE TEMP TABLE mine (a)');
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect((await socket.execute(1, 'INSERT INTO mine VALUES (1)')).type).toBe('response_ok');
  });

  it('cursors are read at the pace of the client, and ended by the next request of the stream', async () => {
    const socket = await open();
    await socket.openStream(1);
    const sql = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n';
    const batch = { steps: [{ stmt: { sql } }] };
    await socket.ask({ type: 'open_cursor', stream_id: 1, cursor_id: 7, batch });
    let sum = 0;
    for (let done = false; !done;) {
      const { response } = await socket.ask({ type: 'fetch_cursor', cursor_id: 7, max_count: 50_000 });
      const entries = response?.['entries'] as { type: string; row?: { value: string }[] }[];
      for (const { row } of entries) sum += Number(row?.[0]?.value ?? 0);
      done = response?.['done'] === true;
    }
    expect(sum).toBe((300_000 * 300_001) / 2);
    await socket.ask({ type: 'close_cursor', cursor_id: 7 });
    await socket.ask({ type: 'open_cursor', stream_id: 1, cursor_id: 8, batch });
    expect((await socket.execute(1, 'SELECT 1')).type).toBe('response_ok');
    expect((await socket.ask({ type: 'fetch_cursor', cursor_id: 8, max_count: 1 })).error?.code).toBe('STREAM_EXPIRED');
  });

  it('refuses unknown and repeated ids, and more streams than a connection may have', async () => {
    const socket = await open();
    const code = async (request: Record<string, unknown>): Promise<string | undefined> =>
      (await socket.ask(request)).error?.code;
    expect(await code({ type: 'execute', stream_id: 9, stmt: { sql: 'SELECT 1' } })).toBe('MALFORMED_REQUEST');
    await socket.openStream(0);
    expect(await code({ type: 'open_stream', stream_id: 0 })).toBe('MALFORMED_REQUEST');
    expect(await code({ type: 'fetch_cursor', cursor_id: 1, max_count: 1 })).toBe('MALFORMED_REQUEST');
    for (let id = 1; id < 128; id++) await socket.openStream(id);
    expect(await code({ type: 'open_stream', stream_id: 128 })).toBe('OVERLOADED');
    expect(await code({ type: 'store_sql', sql_id: 1, sql: 'x'.repeat(20_000) })).toBe('SQL_STORE_TOO_LARGE');
    expect(await code({ type: 'execute', stream_id: 0, stmt: { sql_id: 5 } })).toBe('SQL_INPUT_ERROR');
  });

  it.each<[string, string | Buffer]>([
    ['no JSON', 'x'],
    ['a message of no kind', '{"type":"bye"}'],
    ['a request of no kind', '{"type":"request","request_id":1,"request":{"type":"close"}}'],
    ['a request without a number', '{"type":"request","request":{"type":"open_stream","stream_id":1}}'],
    ['a binary frame', Buffer.from([1])],
  ])('%s ends the connection', async (_what, frame) => {
    const socket = await open();
    socket.webSocket.send(frame);
    expect((await socket.closed).code).toBe(1002);
  });

  it('a message that is too long ends the connection', async () => {
    const socket = await open();
    socket.webSocket.send('x'.repeat(4 * 1024 * 1024 + 1));
    expect((await socket.closed).code).toBe(1009);
  });

  it('a node that is asked to stop lets a transaction end, then asks the client to connect again', async () => {
    const beside = await node.startBeside();
    const there = beside.here(database);
    const socket = await HranaSocket.open(there);
    sockets.push(socket);
    await socket.openStream(1);
    await socket.execute(1, 'BEGIN IMMEDIATE');
    await socket.execute(1, 'INSERT INTO t VALUES (6)');
    const ended = beside.end('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await socket.execute(1, 'COMMIT')).type).toBe('response_ok');
    expect((await socket.closed).code).toBe(1012);
    await ended;
    expect(await node.run(database, 'DELETE FROM t RETURNING a')).toEqual([['6']]);
  });
});

describe('a connection to a node that does not own the database', () => {
  it('works as one to the owner does, transactions and cursors included', async () => {
    const owner = await DataNode.start(sharedLease);
    let other: DataNode | undefined;
    try {
      const database = await owner.createDatabase('far');
      await owner.run(database, 'CREATE TABLE t (a)');
      other = await owner.startBeside();
      const client = createClient({
        url: other.here(database).url.replace(/^http/, 'ws'),
        authToken: database.token,
      });
      const transaction = await client.transaction('write');
      await transaction.execute('INSERT INTO t VALUES (1)');
      await transaction.execute('INSERT INTO t VALUES (2)');
      await transaction.commit();
      expect(await owner.run(database, 'SELECT count(*) FROM t')).toEqual([['2']]);
      client.close();
      const socket = await HranaSocket.open(other.here(database));
      await socket.openStream(1);
      const batch = { steps: [{ stmt: { sql: 'SELECT a FROM t ORDER BY a' } }] };
      await socket.ask({ type: 'open_cursor', stream_id: 1, cursor_id: 1, batch });
      const { response } = await socket.ask({ type: 'fetch_cursor', cursor_id: 1, max_count: 10 });
      expect((response?.['entries'] as unknown[]).length).toBe(4);
      socket.webSocket.terminate();
    } finally {
      await other?.end('SIGKILL');
      await owner.dispose();
    }
  });
});
