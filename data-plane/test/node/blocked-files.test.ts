/** Blocks and size limits of databases on the routes that take and give whole files: uploads, embedded replicas, Turso Sync. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client';
import type { SubjectRules } from '@turso-byoc/data-plane/auth/access-rules.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { encodePull } from '../support/pulls.js';
import { sampleFile } from '../support/sample-file.js';

let node: DataNode;
let directory: string;
let file: Buffer;
let rules = 0;
const subjects: Record<string, SubjectRules> = {};
const clients: Client[] = [];

beforeAll(async () => {
  node = await DataNode.start();
  directory = await mkdtemp(join(tmpdir(), 'turso-byoc-blocked-'));
  file = await sampleFile((database) => database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(50000))'));
}, 60_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await node.dispose();
  await rm(directory, { recursive: true, force: true });
});

/** What a request meets: `works`, or the code of the refusal. */
async function meets(
  { url, token }: TestDatabase,
  method: string,
  path: string,
  body?: Uint8Array | string,
): Promise<string> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body }),
  });
  const content = Buffer.from(await answer.arrayBuffer());
  if (answer.status === 200) return 'works';
  return (JSON.parse(content.toString('utf8')) as { code?: string }).code ?? String(answer.status);
}

/** Sets the rules of a database, and waits until they are followed: `probe` meets what it is to meet then. */
async function rule(database: TestDatabase, rule: SubjectRules, expected: string): Promise<void> {
  subjects[database.id] = rule;
  await node.rule(++rules, { ...subjects });
  const write = async (): Promise<string> => {
    try {
      await node.run(database, 'BEGIN', 'INSERT INTO t VALUES (zeroblob(20000))', 'ROLLBACK');
      return 'works';
    } catch (error) {
      if (error instanceof StatementError) return error.code;
      return /"code":"([A-Z_]+)"/.exec(String(error))?.[1] ?? String(error);
    }
  };
  for (let met = await write(); met !== expected; met = await write()) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const replica = (of: TestDatabase, name: string): Client => {
  const client = createClient({
    url: `file:${join(directory, name)}`,
    syncUrl: of.url.replace(/\/$/, ''),
    authToken: of.token,
    offline: true,
  });
  clients.push(client);
  return client;
};

const pull = encodePull({});
const frames = Buffer.alloc(4_120);

test('blocked writes refuse uploads and pushed frames, and let replicas read', async () => {
  const awaiting = await node.createDatabase('awaiting', 'libsql', { awaitsFile: true });
  const there = await node.createDatabase('written');
  await node.run(there, 'CREATE TABLE t (a)', "INSERT INTO t VALUES ('before')");
  const offline = replica(there, 'written.db');
  await offline.sync();
  const begun = await fetch(`${awaiting.url}v2/upload/start`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${awaiting.token}` },
    body: JSON.stringify({ db_size_bytes: file.length }),
  });
  const { upload_id: upload } = (await begun.json()) as { upload_id: string };
  subjects[awaiting.id] = { blockWrites: true };
  await rule(there, { blockWrites: true }, 'BLOCKED');
  expect(await meets(awaiting, 'POST', 'v1/upload', file)).toBe('BLOCKED');
  expect(await meets(awaiting, 'PUT', 'v2/upload/start', JSON.stringify({ db_size_bytes: file.length }))).toBe(
    'BLOCKED',
  );
  // Also one that began before.
  expect(await meets(awaiting, 'PUT', `v2/upload/${upload}/chunk/0`, file)).toBe('BLOCKED');
  expect(await meets(awaiting, 'PUT', `v2/upload/${upload}/finalize`)).toBe('BLOCKED');
  expect(await meets(there, 'POST', 'sync/1/1/2', frames)).toBe('BLOCKED');
  await offline.execute("INSERT INTO t VALUES ('offline')");
  await expect(offline.sync()).rejects.toThrow();
  for (const [method, path, body] of [
    ['GET', 'info'],
    ['POST', 'pull-updates', pull],
  ] as const) {
    expect([path, await meets(there, method, path, body)]).toEqual([path, 'works']);
  }
  const reader = replica(there, 'reader.db');
  await reader.sync();
  expect((await reader.execute('SELECT a FROM t')).rows.map(({ a }) => a)).toEqual(['before']);

  // And when the block is lifted everything goes on.
  Reflect.deleteProperty(subjects, awaiting.id);
  await rule(there, {}, 'works');
  expect(await meets(awaiting, 'PUT', `v2/upload/${upload}/chunk/0`, file)).toBe('works');
  expect(await meets(awaiting, 'PUT', `v2/upload/${upload}/finalize`)).toBe('works');
  expect(await node.run(awaiting, 'SELECT length(a) FROM t')).toEqual([['50000']]);
}, 60_000);

test('blocked reads refuse everything', async () => {
  const awaiting = await node.createDatabase('unread-awaiting', 'libsql', { awaitsFile: true });
  const there = await node.createDatabase('unread');
  await node.run(there, 'CREATE TABLE t (a)');
  subjects[awaiting.id] = { blockReads: true };
  await rule(there, { blockReads: true }, 'BLOCKED');
  expect(await meets(awaiting, 'POST', 'v1/upload', file)).toBe('BLOCKED');
  expect(await meets(awaiting, 'PUT', 'v2/upload/start', JSON.stringify({ db_size_bytes: file.length }))).toBe(
    'BLOCKED',
  );
  for (const [method, path, body] of [
    ['GET', 'info'],
    ['GET', 'export/1'],
    ['GET', 'sync/1/1/129'],
    ['POST', 'sync/1/1/2', frames],
    ['POST', 'pull-updates', pull],
    ['GET', 'dump'],
  ] as const) {
    expect([path, await meets(there, method, path, body)]).toEqual([path, 'BLOCKED']);
  }
}, 60_000);

test('the size limit holds for uploads and pushed frames, and not for what is read', async () => {
  const awaiting = await node.createDatabase('small-awaiting', 'libsql', { awaitsFile: true });
  const there = await node.createDatabase('small');
  await node.run(there, 'CREATE TABLE t (a)');
  const offline = replica(there, 'small.db');
  await offline.sync();
  await offline.execute('INSERT INTO t VALUES (zeroblob(100000))');
  subjects[awaiting.id] = { maxBytes: file.length - 1 };
  await rule(there, { maxBytes: 8_192 }, 'SQLITE_FULL');
  const declared = JSON.stringify({ db_size_bytes: file.length });
  expect(await meets(awaiting, 'POST', 'v1/upload', file)).toBe('UPLOAD_TOO_LARGE');
  expect(await meets(awaiting, 'PUT', 'v2/upload/start', declared)).toBe('UPLOAD_TOO_LARGE');
  await expect(offline.sync()).rejects.toThrow();
  expect(await node.run(there, 'SELECT count(*) FROM t')).toEqual([['0']]);
  expect(await meets(there, 'POST', 'pull-updates', pull)).toBe('works');
  expect(await meets(there, 'GET', 'info')).toBe('works');
  subjects[awaiting.id] = { maxBytes: file.length };
  await rule(there, { maxBytes: 10 * 2 ** 20 }, 'works');
  expect(await meets(awaiting, 'POST', 'v1/upload', file)).toBe('works');
  expect(await node.run(awaiting, 'SELECT length(a) FROM t')).toEqual([['50000']]);
}, 60_000);
