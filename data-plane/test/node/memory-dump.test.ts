/**
 * What lies in the memory of the processes of a running node: an engine process never holds a key; the I/O process holds
 * the data keys of open databases and overwrites them. Looks through all of their memory, as a dump of it would hold it.
 */
import { readFileSync } from 'node:fs';
import { systemRuntime } from '../../src/runtime.js';
import { createKey, LocalKeyService, setKeyState } from '../../src/keys/local-key-service.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { foundInMemory, writtenForms } from '../support/process-memory.js';
import { StoreSurgery } from '../support/store-surgery.js';

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_KEY_PROBE_MS: '300' });
  for (const key of ['key-a', 'key-b', 'key-c']) await createKey(node.keyDirectory, key, Date.now());
});
afterAll(async () => node.dispose());

async function dataKeyOf(database: TestDatabase): Promise<Record<string, Buffer>> {
  const [entry] = (await (await StoreSurgery.of(node)).manifestOf(database)).keys;
  if (entry?.mode !== 'kms') throw new Error('a manifest without a key that the key service wraps');
  const { keyId, wrapped, context } = entry;
  const keys = await LocalKeyService.open(node.keyDirectory);
  return writtenForms('data key', await keys.unwrap(keyId, Buffer.from(wrapped, 'base64'), context));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const untilMs = systemRuntime.monotonicMs() + 60_000; !(await condition());) {
    if (systemRuntime.monotonicMs() > untilMs) throw new Error('it did not come to that');
    await systemRuntime.sleep(50);
  }
}

it('no engine process holds a data key; the I/O process does, until the key is revoked', async () => {
  const revoked = await node.createDatabase('revoked', 'libsql', { keyId: 'key-a' });
  const other = await node.createDatabase('other', 'libsql', { keyId: 'key-b' });
  const tursodb = await node.createDatabase('tursodb', 'tursodb', { keyId: 'key-b' });
  const marker = 'a row that lies in the memory of whoever has the database open';
  for (const database of [revoked, other, tursodb]) {
    await node.run(database, 'CREATE TABLE t (a TEXT)', `INSERT INTO t VALUES ('${marker}')`);
  }
  const keys = await Promise.all([revoked, other, tursodb].map(dataKeyOf));
  const engines = engineProcesses(node);
  expect(engines.length).toBeGreaterThanOrEqual(2);
  for (const pid of engines) for (const key of keys) expect([...foundInMemory(pid, key)]).toEqual([]);
  // The search finds what is there: the row in the engine process, the key in the I/O process.
  const row = { row: Buffer.from(marker) };
  expect(engines.filter((pid) => foundInMemory(pid, row).has('row'))).not.toEqual([]);
  for (const key of keys) expect([...foundInMemory(node.pid, key)]).toEqual(['data key, raw']);

  await setKeyState(node.keyDirectory, 'key-a', 'disabled');
  await until(async () => (await node.counted('databases_closed_for_key_total')) > 0);
  const [revokedKey = {}, otherKey = {}] = keys;
  expect([...foundInMemory(node.pid, revokedKey)]).toEqual([]);
  expect([...foundInMemory(node.pid, otherKey)]).toEqual(['data key, raw']);
});

it('a revocation ends the engine process that had the rows in its memory, and no request of the others fails', async () => {
  const revoked = await node.createDatabase('taken', 'libsql', { keyId: 'key-c' });
  const others = await Promise.all(
    Array.from({ length: 4 }, async (_, n) => node.createDatabase(`kept-${n}`, 'libsql', { keyId: 'key-b' })),
  );
  for (const database of [revoked, ...others]) await node.run(database, 'CREATE TABLE t (n INTEGER)');
  const marker = 'a row of the database whose key is taken away';
  await node.run(revoked, 'CREATE TABLE s (a TEXT)', `INSERT INTO s VALUES ('${marker}')`);
  const row = { row: Buffer.from(marker) };
  let holders: number[] = [];
  // Read again each time: the process of the key that was revoked before may just be giving its databases to another one.
  await until(async () => {
    expect(await node.run(revoked, 'SELECT a FROM s')).toEqual([[marker]]);
    holders = engineProcesses(node).filter((pid) => foundInMemory(pid, row).has('row'));
    return holders.length === 1;
  });

  const failures: string[] = [];
  const run = { isDone: false };
  const writing = others.map(async (database) => {
    let written = 0;
    while (!run.isDone) {
      await node.run(database, 'INSERT INTO t VALUES (1)').then(
        () => (written += 1),
        (error: unknown) => failures.push(String(error)),
      );
    }
    return written;
  });
  // A transaction is under way, and goes on.
  const [first] = others as [TestDatabase];
  const begun = await node.pipeline(first, [{ type: 'execute', stmt: { sql: 'BEGIN' } }]);
  await setKeyState(node.keyDirectory, 'key-c', 'disabled');
  await until(async () =>
    node.run(revoked, 'SELECT 1').then(
      () => false,
      (error: unknown) => error instanceof StatementError && error.code === 'KEY_REVOKED',
    ),
  );
  await systemRuntime.sleep(1_500);
  const ended = await node.pipeline(
    first,
    [
      { type: 'execute', stmt: { sql: 'SELECT count(*) FROM t' } },
      { type: 'execute', stmt: { sql: 'COMMIT' } },
    ],
    { baton: begun.body.baton },
  );
  expect(ended.body.results.map(({ type }) => type)).toEqual(['ok', 'ok']);
  await until(() => !engineProcesses(node).some((pid) => holders.includes(pid)));
  await systemRuntime.sleep(500);
  run.isDone = true;
  const written = await Promise.all(writing);
  expect(failures).toEqual([]);
  for (const [n, database] of others.entries()) {
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([[String(written[n])]]);
  }
  for (const pid of engineProcesses(node)) expect(foundInMemory(pid, row).has('row')).toBe(false);
});

it('no process of a node leaves its memory in a core dump', () => {
  for (const pid of [node.pid, ...engineProcesses(node)]) {
    // Nothing of the process is written, whatever the limit of the size is.
    expect(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1').trim()).toBe('00000000');
  }
});
