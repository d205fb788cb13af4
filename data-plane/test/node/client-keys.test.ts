/** Databases whose clients hold the key, on running nodes: what each request must bring, and what happens without it. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cipherNames, ciphers } from '../../src/keys/ciphers.js';
import { createKeyed, newClientKey, withKey, withoutKey } from '../support/client-keys.js';
import { DataNode, sharedLease, StatementError, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { databaseDirectory } from '../support/marked-places.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

const engines = ['libsql', 'tursodb'] as const;

/** Code of the error that a database answers a simple query with, or what it answers. */
async function met(node: DataNode, database: TestDatabase, sql = 'SELECT count(*) FROM t'): Promise<string> {
  return node.run(database, sql).then(
    (rows) => JSON.stringify(rows),
    (error: unknown) => (error instanceof StatementError ? error.code : String(error)),
  );
}

/** Bytes that the file of an open database keeps free at the end of every page. */
async function reservedBytes(node: DataNode, database: TestDatabase): Promise<number> {
  return (await readFile(join(databaseDirectory(node, database), 'db'))).readUInt8(20);
}

describe('one node', () => {
  let node: DataNode;
  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_IDLE_CLOSE_MS: '1000', TURSO_BYOC_COMMIT_WINDOW_MS: '1' });
  });
  afterAll(async () => node.dispose());

  const closed = async (): Promise<void> => {
    while ((await node.counted('open_databases')) > 0) await delay(50);
  };
  const wrongKeys = (key: string): [what: string, headers: Record<string, string>, status: number, code: string][] => {
    const header = (value: string, cipher?: string): Record<string, string> => ({
      'x-turso-encryption-key': value,
      ...(cipher !== undefined && { 'x-turso-encryption-cipher': cipher }),
    });
    return [
      ['no key', {}, 400, 'ENCRYPTION_KEY_REQUIRED'],
      ['an empty key', header(''), 400, 'ENCRYPTION_KEY_REQUIRED'],
      ['malformed base64', header('no*base64'), 400, 'ENCRYPTION_KEY_MALFORMED'],
      ['a wrong length', header(Buffer.alloc(16).toString('base64')), 400, 'ENCRYPTION_KEY_LENGTH'],
      ['another key', header(newClientKey('aegis256')), 403, 'ENCRYPTION_KEY_WRONG'],
      ['another cipher', header(key, 'aes256gcm'), 400, 'ENCRYPTION_CIPHER_MISMATCH'],
    ];
  };
  const bodies = {
    'v2/pipeline': '{"baton":null,"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]}',
    'v3/pipeline': '{"baton":null,"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]}',
    'v3/cursor': '{"baton":null,"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}}]}}',
  };

  it('answers every wrong key by its name, on every route, whether the database is open or not', async () => {
    const { database, key } = await createKeyed(node, 'named-errors');
    const plain = withoutKey(database);
    for (const state of ['closed', 'open']) {
      if (state === 'open') await node.run(database, 'CREATE TABLE t (a)');
      for (const [what, headers, status, code] of wrongKeys(key)) {
        for (const [path, body] of Object.entries(bodies)) {
          const answer = await node.post(plain, path, body, headers);
          expect([state, what, path, answer.status, JSON.parse(answer.text)]).toEqual([
            state,
            what,
            path,
            status,
            expect.objectContaining({ code }),
          ]);
        }
      }
      expect(await node.counted('open_databases')).toBe(state === 'open' ? 1 : 0);
    }
    for (const [path, body] of Object.entries(bodies)) {
      expect((await node.post(database, path, body)).status).toBe(200);
      const declared = { 'x-turso-encryption-cipher': 'aegis256' };
      expect((await node.post(database, path, body, declared)).status).toBe(200);
    }
    expect(await met(node, plain)).toBe('ENCRYPTION_KEY_REQUIRED');
    expect(await met(node, database)).toBe('[["0"]]');
  });

  it('asks for the key on the fast lane and off it, and on each request of one connection', async () => {
    const { database, key } = await createKeyed(node, 'lanes');
    const { port } = new URL(node.url);
    const body = bodies['v3/pipeline'];
    const request = (target: string, ...more: string[]): string =>
      rawRequest(
        `POST /db/lanes-test/${target} HTTP/1.1`,
        ['host: x', `authorization: Bearer ${database.token}`, ...more],
        body,
      );
    const right = `x-turso-encryption-key: ${key}`;
    // A query makes a request one for Node's parser, and its connection with it.
    for (const target of ['v3/pipeline', 'v3/pipeline?off=lane']) {
      const connection = await RawConnection.open(Number(port));
      try {
        const codes: string[] = [];
        for (const more of [[right], [], [right], [`x-turso-encryption-key: ${newClientKey('aegis256')}`], [right]]) {
          connection.send(request(target, ...more));
          const { status, body: answer } = await connection.response();
          codes.push(status === 200 ? 'fine' : (JSON.parse(answer) as { code: string }).code);
        }
        expect([target, ...codes]).toEqual([
          target,
          'fine',
          'ENCRYPTION_KEY_REQUIRED',
          'fine',
          'ENCRYPTION_KEY_WRONG',
          'fine',
        ]);
      } finally {
        connection.destroy();
      }
    }
  });

  it('refuses a key for a database whose keys the key service wraps', async () => {
    const database = await node.createDatabase('plain');
    for (const headers of [
      { 'x-turso-encryption-key': newClientKey('aegis256') },
      { 'x-turso-encryption-key': 'no*base64' },
      { 'x-turso-encryption-cipher': 'aegis256' },
    ]) {
      const answer = await node.post(database, 'v3/pipeline', bodies['v3/pipeline'], headers);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        400,
        expect.objectContaining({ code: 'ENCRYPTION_KEY_UNEXPECTED' }),
      ]);
    }
    expect(await met(node, database, 'SELECT 1')).toBe('[["1"]]');
  });

  it('asks for the key within a stream, too, and a request without it leaves the stream as it was', async () => {
    const { database } = await createKeyed(node, 'streams');
    await node.run(database, 'CREATE TABLE t (a)');
    const begun = await node.pipeline(database, [
      { type: 'execute', stmt: { sql: 'BEGIN' } },
      { type: 'execute', stmt: { sql: 'INSERT INTO t VALUES (1)' } },
    ]);
    const commit = [{ type: 'execute', stmt: { sql: 'COMMIT' } }, { type: 'close' }];
    const { baton } = begun.body;
    const other = withKey(database, newClientKey('aegis256'));
    expect(await node.pipeline(withoutKey(database), commit, { baton })).toMatchObject({ status: 400 });
    expect(await node.pipeline(other, commit, { baton })).toMatchObject({ status: 403 });
    const ended = await node.pipeline(database, commit, { baton });
    expect(ended.body.results.map(({ type }) => type)).toEqual(['ok', 'ok']);
    expect(await met(node, database)).toBe('[["1"]]');
  });

  it('lets those with the right key in, whoever else begins to open the database', async () => {
    const { database } = await createKeyed(node, 'crowd');
    await node.run(database, 'CREATE TABLE t (a)');
    for (let round = 0; round < 3; round++) {
      await closed();
      const wrong = withKey(database, newClientKey('aegis256'));
      const crowd = [wrong, withoutKey(database), wrong, database, withoutKey(database), database, wrong, database];
      expect(await Promise.all(crowd.map(async (one) => met(node, one)))).toEqual(
        crowd.map((one) => {
          if (one === database) return '[["0"]]';
          return one === wrong ? 'ENCRYPTION_KEY_WRONG' : 'ENCRYPTION_KEY_REQUIRED';
        }),
      );
    }
  });

  it.each(engines)('keeps the reserved bytes of every cipher in the file, on %s', async (engine) => {
    for (const cipher of cipherNames) {
      const { database } = await createKeyed(node, `${engine}-${cipher}`, { engine, cipher });
      await node.run(
        database,
        'CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)',
        'INSERT INTO t SELECT value, hex(zeroblob(100)) FROM generate_series(1, 50)',
      );
      expect([cipher, await reservedBytes(node, database)]).toEqual([cipher, ciphers[cipher].reservedBytes]);
      expect(await met(node, database, 'VACUUM')).toBe('SQL_REFUSED');
      expect(await node.run(database, 'PRAGMA integrity_check')).toEqual([['ok']]);
      const described = await node.admin('GET', `/admin/v1/databases/${database.id}`);
      const { database: fields } = (await described.json()) as { database: Record<string, unknown> };
      expect([fields['encryptionCipher'], fields['keyId']]).toEqual([cipher, undefined]);
    }
  });

  it.each(engines)('keeps them through folds, local checkpoints, engine deaths and restarts, on %s', async (engine) => {
    const { database } = await createKeyed(node, `grown-${engine}`, { engine, cipher: 'aes256gcm' });
    await node.run(database, 'CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)');
    // Past the local WAL's bound and the size at which the log is folded.
    for (let round = 0; round < 7; round++) {
      await node.run(database, 'INSERT INTO t (b) SELECT zeroblob(3000) FROM generate_series(1, 300)');
    }
    const sound = async (rows: number): Promise<void> => {
      expect(await node.run(database, 'SELECT count(*), sum(length(b)) FROM t')).toEqual([
        [String(rows), String(rows * 3000)],
      ]);
      expect(await node.run(database, 'PRAGMA integrity_check')).toEqual([['ok']]);
      expect(await reservedBytes(node, database)).toBe(28);
    };
    await sound(2_100);
    // The unlocked data key is still there: the database goes on without anybody's key, and answers to nobody without one.
    for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
    expect(await met(node, withoutKey(database))).toBe('ENCRYPTION_KEY_REQUIRED');
    await sound(2_100);
    await node.end('SIGKILL');
    await node.restart();
    expect(await met(node, withoutKey(database))).toBe('ENCRYPTION_KEY_REQUIRED');
    await sound(2_100);
    await node.end('SIGTERM');
    await node.restart();
    await node.run(database, 'INSERT INTO t (b) VALUES (zeroblob(3000))');
    await sound(2_101);
  });

  it('forgets the data key with the database: the next request brings the key again', async () => {
    const { database } = await createKeyed(node, 'idle');
    await node.run(database, 'CREATE TABLE t (a)');
    await closed();
    expect(await met(node, withoutKey(database))).toBe('ENCRYPTION_KEY_REQUIRED');
    expect(await node.counted('open_databases')).toBe(0);
    expect(await met(node, database)).toBe('[["0"]]');
    expect(await node.counted('keys_in_use')).toBe(0);
  });

  it('branches with the key of the parent only, open or closed, now or at a time', async () => {
    const { database, key } = await createKeyed(node, 'trunk');
    await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
    await delay(5);
    const timeMs = Date.now();
    await delay(5);
    await node.run(database, 'INSERT INTO t VALUES (2)');
    const branch = { parent: database.id };
    const refused = async (more: object): Promise<string> =>
      node.createDatabase(`twig-${randomUUID().slice(0, 8)}`, 'libsql', { branch, ...more }).then(
        () => 'made',
        (error: unknown) => /"code":"(\w+)"/.exec(String(error))?.[1] ?? String(error),
      );
    for (const state of ['open', 'closed']) {
      if (state === 'closed') await closed();
      expect(await refused({})).toBe('ENCRYPTION_KEY_REQUIRED');
      expect(await refused({ encryption: { key: newClientKey('aegis256') } })).toBe('ENCRYPTION_KEY_WRONG');
      expect(await refused({ encryption: { key, cipher: 'aes256gcm' } })).toBe('ENCRYPTION_CIPHER_MISMATCH');
      expect(await refused({ keyId: 'default' })).toBe('ENCRYPTION_KEY_REQUIRED');
      expect(await refused({ keyId: 'default', encryption: { key } })).toBe('MALFORMED_REQUEST');
      const now = await node.createDatabase(`now-${state}`, 'libsql', { branch, encryption: { key } });
      const then = await node.createDatabase(`then-${state}`, 'libsql', {
        branch: { ...branch, timeMs },
        encryption: { key, cipher: 'aegis256' },
      });
      expect(await met(node, now)).toBe('ENCRYPTION_KEY_REQUIRED');
      expect(await met(node, withKey(now, key))).toBe('[["2"]]');
      expect(await met(node, withKey(then, key))).toBe('[["1"]]');
      await node.run(withKey(now, key), 'INSERT INTO t VALUES (3)');
      expect(await reservedBytes(node, now)).toBe(48);
    }
    const plain = await node.createDatabase('plain-trunk');
    await expect(
      node.createDatabase('plain-twig', 'libsql', { branch: { parent: plain.id }, encryption: { key } }),
    ).rejects.toThrow('ENCRYPTION_KEY_UNEXPECTED');
  });

  it('is created once, and only with one key', async () => {
    const key = newClientKey('aegis128l');
    const encryption = { key, cipher: 'aegis128l' };
    const body = {
      id: randomUUID(),
      name: 'once',
      organization: 'test',
      group: { id: 'g', name: 'default' },
      engine: 'libsql',
    };
    const create = async (more: object): Promise<[number, string | undefined]> => {
      const answer = await node.admin('POST', '/admin/v1/databases', { ...body, ...more });
      return [answer.status, ((await answer.json()) as { code?: string }).code];
    };
    expect(await create({ encryption: { key } })).toEqual([400, 'MALFORMED_REQUEST']);
    expect(await create({ encryption: { key, cipher: 'aegis256' } })).toEqual([400, 'ENCRYPTION_KEY_LENGTH']);
    expect(await create({ encryption: { key, cipher: 'rot13' } })).toEqual([400, 'MALFORMED_REQUEST']);
    expect(await create({ encryption: { key: '???', cipher: 'aegis256' } })).toEqual([400, 'ENCRYPTION_KEY_MALFORMED']);
    expect(await create({ encryption, keyId: 'default' })).toEqual([400, 'MALFORMED_REQUEST']);
    for (let again = 0; again < 2; again++) expect(await create({ encryption })).toEqual([200, undefined]);
    expect(await create({})).toEqual([400, 'ENCRYPTION_KEY_REQUIRED']);
    expect(await create({ encryption: { key: newClientKey('aegis128l'), cipher: 'aegis128l' } })).toEqual([
      403,
      'ENCRYPTION_KEY_WRONG',
    ]);
  });

  it('is deleted, brought back, collected and passed over by a rewrap without its key', async () => {
    const { database } = await createKeyed(node, 'kept');
    await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
    const post = async (what: string, body: object = {}): Promise<{ status: number; code?: string }> => {
      const answer = await node.admin('POST', `/admin/v1/databases/${database.id}/${what}`, body);
      const { code } = (await answer.json()) as { code?: string };
      return { status: answer.status, ...(code !== undefined && { code }) };
    };
    for (const state of ['open', 'closed']) {
      if (state === 'closed') await closed();
      expect(await post('collect')).toEqual({ status: 200 });
      expect(await post('rewrap', { keyId: 'default' })).toEqual({ status: 409, code: 'KEY_HELD_BY_CLIENT' });
      expect((await node.admin('DELETE', `/admin/v1/databases/${database.id}`)).status).toBe(200);
      expect(await post('undelete')).toEqual({ status: 200 });
      expect(await met(node, withoutKey(database))).toBe('ENCRYPTION_KEY_REQUIRED');
      expect(await met(node, database)).toBe('[["1"]]');
    }
  });
});

describe('several nodes', () => {
  const settings = { ...sharedLease, TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_COMMIT_WINDOW_MS: '1' };
  let first: DataNode;
  let others: DataNode[];
  beforeEach(async () => {
    others = [];
    first = await DataNode.start(settings);
    others.push(await first.startBeside());
  });
  afterEach(async () => {
    for (const node of others) await node.end('SIGKILL');
    await first.dispose();
  });

  it('pass the key on to the owner, which judges it', async () => {
    const [second] = others as [DataNode];
    const { database, key } = await createKeyed(first, 'shared');
    await first.run(database, 'CREATE TABLE t (a)');
    const owner = (await first.counted('open_databases')) === 1 ? first : second;
    const other = owner === first ? second : first;
    const there = other.here(database);
    expect(await met(other, there)).toBe('[["0"]]');
    const cursor = '{"baton":null,"batch":{"steps":[{"stmt":{"sql":"SELECT count(*) FROM t"}}]}}';
    expect((await other.post(there, 'v3/cursor', cursor)).text).toContain('"step_end"');
    expect(await met(other, withoutKey(there))).toBe('ENCRYPTION_KEY_REQUIRED');
    expect(await met(other, withKey(there, newClientKey('aegis256')))).toBe('ENCRYPTION_KEY_WRONG');
    expect(await met(other, withKey(there, key, 'aes256gcm'))).toBe('ENCRYPTION_CIPHER_MISMATCH');
    expect(await other.counted('open_databases')).toBe(0);
    // A branch is made by the owner of its parent.
    const branch = await other.createDatabase('twig', 'libsql', {
      branch: { parent: database.id },
      encryption: { key },
    });
    expect(await met(other, withKey(branch, key))).toBe('[["0"]]');
  });

  it('take over without the key, and serve with it', async () => {
    const [second] = others as [DataNode];
    const { database } = await createKeyed(first, 'mourned');
    await first.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
    const owner = (await first.counted('open_databases')) === 1 ? first : second;
    const heir = owner === first ? second : first;
    await owner.end('SIGKILL');
    const there = heir.here(database);
    expect(await met(heir, withoutKey(there))).toBe('ENCRYPTION_KEY_REQUIRED');
    expect(await met(heir, there)).toBe('[["1"]]');
    await owner.restart();
    // A node that is asked to stop hands its databases over; the next owner has no key until a request brings it.
    await heir.end('SIGTERM');
    const here = owner.here(database);
    expect(await met(owner, withoutKey(here))).toBe('ENCRYPTION_KEY_REQUIRED');
    expect(await met(owner, here)).toBe('[["1"]]');
    await owner.run(here, 'INSERT INTO t VALUES (2)');
    expect(await met(owner, here)).toBe('[["2"]]');
  });
});
