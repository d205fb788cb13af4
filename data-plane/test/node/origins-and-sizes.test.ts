/** Rules of single databases and groups: where requests may come from, and how large a database may become. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createClient } from '@libsql/client';
import type { SubjectRules } from '@turso-byoc/data-plane/auth/access-rules.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';

const otherGroup = { id: '77777777-0000-4000-8000-000000000001', name: 'other' };
const select = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql: 'SELECT 1' } }, { type: 'close' }] });
const works = 'works';

describe('where requests may come from', () => {
  let node: DataNode;
  const databases = new Map<string, TestDatabase>();
  const rulesOf: Record<string, SubjectRules> = {
    here: { allowedIps: ['127.0.0.1'] },
    elsewhere: { allowedIps: ['10.0.0.0/8', '2001:db8::/32'] },
    endpoint: { allowedVpcEndpoints: ['vpce-0a1'] },
    both: { allowedIps: ['10.0.0.0/8'], allowedVpcEndpoints: ['vpce-0a1'] },
  };

  beforeAll(async () => {
    // Whoever connects from 127.0.0.2 is a proxy; 127.0.0.1 is not.
    node = await DataNode.start({
      TURSO_BYOC_TRUSTED_PROXIES: '127.0.0.2, 192.168.7.0/24',
      TURSO_BYOC_PROXY_PROTOCOL: '0',
      ...sharedLease,
    });
    const subjects: Record<string, SubjectRules> = { [otherGroup.id]: { allowedIps: ['10.9.9.9'] } };
    for (const name of [...Object.keys(rulesOf), 'free']) {
      const database = await node.createDatabase(name);
      databases.set(name, database);
      if (rulesOf[name]) subjects[database.id] = rulesOf[name];
    }
    databases.set('grouped', await node.createDatabase('grouped', 'libsql', { group: otherGroup }));
    await node.rule(1, subjects);
  });

  afterAll(async () => node.dispose());

  /** What a request meets that comes from `from`, with these headers, on a connection that begins with these bytes. */
  async function meet(
    name: string,
    options: { from?: string; headers?: string[]; first?: Buffer; at?: DataNode } = {},
  ): Promise<string> {
    const { from = '127.0.0.1', headers = [], first, at = node } = options;
    const database = databases.get(name)!;
    const { hostname, port } = new URL(at.url);
    const socket = connect({ host: hostname, port: Number(port), localAddress: from });
    await once(socket, 'connect');
    const head = [
      `POST /db/${name}-test/v3/pipeline HTTP/1.1`,
      'host: x',
      `authorization: Bearer ${database.token}`,
      `content-length: ${select.length}`,
      ...headers,
    ].join('\r\n');
    if (first) socket.write(first);
    socket.write(`${head}\r\n\r\n${select}`);
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.endsWith('}')) break;
    }
    socket.destroy();
    if (text === '') return 'closed';
    return text.startsWith('HTTP/1.1 200') ? works : (/"code":"([A-Z_]+)"/.exec(text)?.[1] ?? text);
  }

  const through = (...entries: string[]): { from: string; headers: string[] } => ({
    from: '127.0.0.2',
    headers: entries.map((entry) => `x-forwarded-for: ${entry}`),
  });

  it.each<[string, object, string]>([
    ['free', {}, works],
    ['here', {}, works],
    ['here', { from: '127.0.0.3' }, 'ORIGIN_FORBIDDEN'],
    ['elsewhere', {}, 'ORIGIN_FORBIDDEN'],
    ['grouped', {}, 'ORIGIN_FORBIDDEN'],
    ['endpoint', {}, 'ORIGIN_FORBIDDEN'],
    // Nobody is believed who is no trusted proxy.
    ['elsewhere', { headers: ['x-forwarded-for: 10.1.2.3'] }, 'ORIGIN_FORBIDDEN'],
    ['here', { headers: ['x-forwarded-for: 10.1.2.3'] }, works],
    ['elsewhere', { headers: ['x-turso-byoc-client: eyJhZGRyZXNzIjoiMTAuMS4yLjMifQ.AAAA'] }, 'ORIGIN_FORBIDDEN'],
    ['elsewhere', { headers: ['forwarded: for=10.1.2.3', 'x-real-ip: 10.1.2.3'] }, 'ORIGIN_FORBIDDEN'],
    // Of a trusted proxy's list, the last address that is not a proxy's.
    ['elsewhere', through('10.1.2.3'), works],
    ['elsewhere', through('10.1.2.3:4711'), works],
    ['elsewhere', through('[2001:db8::7]:80'), works],
    ['elsewhere', through('8.8.8.8, 10.1.2.3, 192.168.7.9'), works],
    ['elsewhere', through('10.1.2.3, 8.8.8.8'), 'ORIGIN_FORBIDDEN'],
    ['elsewhere', through('10.1.2.3', '8.8.8.8'), 'ORIGIN_FORBIDDEN'],
    ['elsewhere', through('10.1.2.3, nonsense'), 'ORIGIN_FORBIDDEN'],
    ['elsewhere', through(''), 'ORIGIN_FORBIDDEN'],
    ['elsewhere', { from: '127.0.0.2' }, 'ORIGIN_FORBIDDEN'],
    ['grouped', through('10.9.9.9'), works],
    ['grouped', through('10.9.9.8'), 'ORIGIN_FORBIDDEN'],
  ])('%s, asked %j: %s', async (name, options, expected) => {
    expect(await meet(name, options)).toBe(expected);
  });

  it('holds over WebSockets, dumps and every other route', async () => {
    const database = databases.get('elsewhere')!;
    const headers = { authorization: `Bearer ${database.token}` };
    const dumped = await fetch(`${database.url}dump`, { headers });
    expect([dumped.status, ((await dumped.json()) as { code: string }).code]).toEqual([403, 'ORIGIN_FORBIDDEN']);
    const cursor = await node.post(database, 'v3/cursor', '{"batch":{"steps":[]}}');
    expect(cursor.text).toContain('ORIGIN_FORBIDDEN');
    const socket = createClient({ url: database.url.replace('http', 'ws'), authToken: database.token });
    await expect(socket.execute('SELECT 1')).rejects.toThrow('not allowed');
    socket.close();
    const open = createClient({
      url: databases.get('here')!.url.replace('http', 'ws'),
      authToken: databases.get('here')!.token,
    });
    expect((await open.execute('SELECT 1 AS one')).rows).toHaveLength(1);
    open.close();
  });

  it('is judged by the place of the client when another node passes its request on', async () => {
    const other = await node.startBeside({ TURSO_BYOC_PROXY_PROTOCOL: '1' });
    try {
      const v2 = (address: string, endpoint?: string): Buffer => {
        const fields =
          endpoint === undefined
            ? Buffer.alloc(0)
            : Buffer.concat([Buffer.of(0xea, 0, endpoint.length + 1, 1), Buffer.from(endpoint)]);
        const ports = Buffer.of(1, 2, 3, 4);
        const addresses = Buffer.concat([Buffer.from(address.split('.').map(Number)), Buffer.of(10, 0, 0, 1), ports]);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(addresses.length + fields.length);
        const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
        return Buffer.concat([signature, Buffer.of(0x21, 0x11), length, addresses, fields]);
      };
      const proxied = (first?: Buffer): object => ({ at: other, from: '127.0.0.2', ...(first && { first }) });
      // The databases are the first node's: it hears of the client from the other one.
      for (const [name, first, expected] of [
        ['elsewhere', v2('10.1.2.3'), works],
        ['elsewhere', v2('11.1.2.3'), 'ORIGIN_FORBIDDEN'],
        ['endpoint', v2('11.1.2.3', 'vpce-0a1'), works],
        ['endpoint', v2('11.1.2.3', 'vpce-0a2'), 'ORIGIN_FORBIDDEN'],
        ['endpoint', v2('11.1.2.3'), 'ORIGIN_FORBIDDEN'],
        ['both', v2('10.1.2.3', 'vpce-0a1'), works],
        ['both', v2('11.1.2.3', 'vpce-0a1'), 'ORIGIN_FORBIDDEN'],
        ['both', v2('10.1.2.3', 'vpce-0a2'), 'ORIGIN_FORBIDDEN'],
        // What a trusted proxy sends must begin with the header; what others send must not.
        ['free', undefined, 'closed'],
        ['free', v2('10.1.2.3'), works],
      ] as const) {
        expect([name, first?.length, await meet(name, proxied(first))]).toEqual([name, first?.length, expected]);
      }
      expect(await meet('here', { at: other })).toBe(works);
      expect(await meet('elsewhere', { at: other })).toBe('ORIGIN_FORBIDDEN');
      expect(await meet('free', { at: other, first: v2('10.1.2.3') })).not.toBe(works);
    } finally {
      await other.end('SIGKILL');
    }
  });
});

describe.each(['libsql', 'tursodb'] as const)('how large a database may become, %s', (engine) => {
  let node: DataNode;
  let small: TestDatabase;
  let free: TestDatabase;
  const limit = 40 * 4096;

  beforeAll(async () => {
    node = await DataNode.start();
    small = await node.createDatabase('small', engine);
    free = await node.createDatabase('free', engine);
    await node.rule(1, { [small.id]: { maxBytes: limit } });
  });

  afterAll(async () => node.dispose());

  const insert = 'INSERT INTO t (b) VALUES (zeroblob(8000))';
  const pages = async (of: TestDatabase): Promise<number> => Number((await node.run(of, 'PRAGMA page_count'))[0]![0]);

  it('stops growing at its limit; deleting makes room, and others are not held up', async () => {
    for (const database of [small, free]) await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, b)');
    let failure: unknown;
    for (let row = 0; row < 40 && !failure; row += 1) {
      await node.run(small, insert).catch((error: unknown) => (failure = error));
      await node.run(free, insert);
    }
    expect(failure).toMatchObject({
      code: 'SQLITE_FULL',
      message: expect.stringContaining(`size limit of ${limit} bytes`),
    });
    expect(await pages(small)).toBeLessThanOrEqual(40);
    // In one transaction, too.
    await expect(node.run(small, 'BEGIN', insert, insert, 'COMMIT')).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    const [[before]] = (await node.run(small, 'SELECT count(*) FROM t')) as [[string]];
    await node.run(small, 'DELETE FROM t WHERE id IN (SELECT id FROM t LIMIT 5)');
    await node.run(small, insert);
    expect(await node.run(small, 'SELECT count(*) FROM t')).toEqual([[String(Number(before) - 4)]]);
    await node.run(small, 'DROP TABLE t');
    await node.run(small, 'CREATE TABLE t (id INTEGER PRIMARY KEY, b)', insert);
    await node.run(free, insert);
  });

  it('stays as large as it is when the limit comes later', async () => {
    const size = await pages(free);
    expect(size).toBeGreaterThan(40);
    await node.rule(2, { [small.id]: { maxBytes: limit }, [free.id]: { maxBytes: limit } });
    let failure: { code?: string } = {};
    // Rules are followed within ten seconds.
    for (let attempt = 0; attempt < 200 && failure.code === undefined; attempt += 1) {
      await node.run(free, insert).catch((error: unknown) => (failure = error as { code: string }));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(failure.code).toBe('SQLITE_FULL');
    await node.run(free, 'DELETE FROM t');
    await node.run(free, insert);
  });
});
