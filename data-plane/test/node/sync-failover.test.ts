/** Sync while nodes die and history ends: what a device has stays true, and what it pushed is there once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type Database } from '@tursodatabase/sync';
import { sharedLease, DataNode, type TestDatabase } from '../support/data-node.js';
import { decodePull, encodePull, type PullAnswer } from '../support/pulls.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'turso-byoc-devices-'));
});
afterAll(async () => rm(directory, { recursive: true, force: true }));

const all = async (from: Database, sql: string): Promise<unknown[]> => (await from.prepare(sql)).raw().all();

async function ask(node: DataNode, database: TestDatabase, asked: Parameters<typeof encodePull>[0]): Promise<Response> {
  return fetch(`${node.here(database).url}pull-updates`, {
    method: 'POST',
    headers: { authorization: `Bearer ${database.token}` },
    body: encodePull(asked),
  });
}

async function pull(...asked: Parameters<typeof ask>): Promise<PullAnswer> {
  const answer = await ask(...asked);
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return decodePull(new Uint8Array(await answer.arrayBuffer()));
}

const addressOf = (input: string | URL | Request): string => (input instanceof Request ? input.url : input.toString());

/** A fetch that calls `act` when the first part of an answer from `path` has come, and goes on. */
function interrupted(path: string, act: () => Promise<void>): typeof fetch {
  let isDone = false;
  return async (input, init) => {
    const answer = await fetch(input, init);
    if (isDone || !addressOf(input).endsWith(path) || !answer.body) return answer;
    isDone = true;
    const reader = answer.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
        await act();
      },
    });
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
}

describe('with two nodes', () => {
  let [owner, other]: [DataNode, DataNode] = [] as never;
  beforeEach(async () => {
    owner = await DataNode.start({
      ...sharedLease,
      TURSO_BYOC_COMMIT_WINDOW_MS: '1',
      TURSO_BYOC_ENGINE_PROCESSES: '1',
    });
    other = await owner.startBeside();
  });
  afterEach(async () => {
    await other.end('SIGKILL');
    await owner.dispose();
  });

  it('a pull that breaks in the middle leaves nothing behind, and revisions go on with the next owner', async () => {
    const database = await owner.createDatabase('broken-pull');
    await owner.run(
      database,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)',
      'INSERT INTO t SELECT value, randomblob(4000) FROM generate_series(1, 5000)',
    );
    const before = await pull(other, database, {});
    await owner.run(database, 'UPDATE t SET v = zeroblob(10) WHERE id = 77');
    const path = join(directory, 'broken-pull.db');
    const url = (node: DataNode): string => node.here(database).url.slice(0, -1);
    const options = { path, authToken: database.token };
    const kill = async (): Promise<void> => owner.end('SIGKILL');
    const broken = connect({ ...options, url: url(owner), fetch: interrupted('/pull-updates', kill) });
    await expect(broken).rejects.toThrow();
    const device = await connect({ ...options, url: url(other) });
    expect(await all(device, 'SELECT count(*), sum(length(v)) FROM t')).toEqual([[5_000, 4_000 * 4_999 + 10]]);
    expect(await all(device, 'PRAGMA integrity_check')).toEqual([['ok']]);
    await device.close();
    // What the dead node gave out is known to the other one.
    const since = await pull(other, database, { clientRevision: before.revision });
    expect(since.pages.size).toBeLessThan(20);
    const again = await pull(other, database, { serverRevision: before.revision });
    expect(again.pages.size).toBe(before.pages.size);
    for (const [page, content] of before.pages) expect(again.pages.get(page)?.equals(content)).toBe(true);
  });

  it('a push that breaks in the middle is there once, whenever the node died', async () => {
    const database = await owner.createDatabase('broken-push');
    await owner.run(database, 'CREATE TABLE t (v TEXT)');
    let target = owner;
    let pushes = 0;
    const device = await connect({
      path: join(directory, 'broken-push.db'),
      url: () => target.here(database).url.slice(0, -1),
      authToken: database.token,
      pushOperationsThreshold: 200,
      fetch: async (input, init) => {
        const sent = fetch(input, init);
        // Some batches are through, one is on its way.
        if (addressOf(input).endsWith('/v2/pipeline') && (pushes += 1) === 4) {
          await delay(15);
          await owner.end('SIGKILL');
        }
        return sent;
      },
    });
    const insert = await device.prepare('INSERT INTO t VALUES (?)');
    for (let n = 0; n < 1_500; n++) await insert.run(`row ${n}`);
    await expect(device.push()).rejects.toThrow();
    target = other;
    await device.push();
    const counted = 'SELECT count(*), count(DISTINCT v) FROM t';
    expect(await other.run(other.here(database), counted)).toEqual([['1500', '1500']]);
    await device.pull();
    expect(await all(device, counted)).toEqual([[1_500, 1_500]]);
    await device.close();
  });

  it('who waits for changes is let go by a node that stops, also through the other one, and waits on there', async () => {
    const database = await owner.createDatabase('waiting');
    await owner.run(database, 'CREATE TABLE t (n)');
    const { revision } = await pull(other, database, {});
    const asked = { clientRevision: revision, longPollTimeoutMs: 60_000 };
    const waiting = Promise.all([pull(other, database, asked), pull(owner, database, asked)]);
    await delay(200);
    await owner.end('SIGTERM');
    expect((await waiting).map((answer) => [answer.revision, answer.pages.size])).toEqual([
      [revision, 0],
      [revision, 0],
    ]);
    const woken = pull(other, database, asked);
    await other.run(other.here(database), 'INSERT INTO t VALUES (1)');
    expect((await woken).pages.size).toBeGreaterThan(0);
  });
});

it('a replica reads old pages after a restart and a collection, within the history that is kept', async () => {
  const node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '1', TURSO_BYOC_HISTORY_DAYS: '1' });
  try {
    const database = await node.createDatabase('old');
    await node.run(database, 'CREATE TABLE t (v)', 'INSERT INTO t VALUES (randomblob(2000000))');
    const device = await connect({
      path: join(directory, 'old.db'),
      url: database.url.slice(0, -1),
      authToken: database.token,
      partialSyncExperimental: { bootstrapStrategy: { kind: 'prefix', length: 4096 * 4 } },
    });
    for (let round = 0; round < 3; round++) await node.run(database, 'UPDATE t SET v = randomblob(2000001)');
    await node.end();
    await node.restart();
    expect((await node.admin('POST', `/admin/v1/databases/${database.id}/collect`)).status).toBe(200);
    expect(await all(device, 'SELECT length(v) FROM t')).toEqual([[2_000_000]]);
    expect(await device.pull()).toBe(true);
    expect(await all(device, 'SELECT length(v) FROM t')).toEqual([[2_000_001]]);
    await device.close();
  } finally {
    await node.dispose();
  }
});
