/** Databases go from one key of the key service to another while they are used; then the old key may go. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createKey, setKeyState } from '../../src/keys/local-key-service.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';

const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/rewrap/rewrap-command.js'));

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({
    ...sharedLease,
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_COMMIT_WINDOW_MS: '1',
    TURSO_BYOC_KEY_PROBE_MS: '200',
  });
  for (const key of ['old', 'new']) await createKey(node.keyDirectory, key, Date.now());
});
afterAll(async () => node.dispose());

function running(...words: string[]): {
  child: ReturnType<typeof spawn>;
  ended: Promise<{ status: number | null; output: string }>;
} {
  const child = spawn(
    process.execPath,
    [command, '--node', node.adminUrl, '--credential', node.credentialFile, ...words],
    { env: { ...process.env, TURSO_BYOC_STORE_DIR: node.storeDirectory }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, ended: once(child, 'close').then(([status]) => ({ status: status as number | null, output })) };
}

async function created(name: string, more: Record<string, unknown> = { keyId: 'old' }): Promise<TestDatabase> {
  const database = await node.createDatabase(name, 'libsql', more);
  await node.run(database, 'CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
  return database;
}

it('fails no request of a database that is written, and the old key is not needed any more', async () => {
  const busy = await created('busy');
  const deleted = await created('deleted');
  const branch = await node.createDatabase('twig', 'libsql', { branch: { parent: busy.id } });
  await node.run(branch, 'INSERT INTO t VALUES (2)');
  await node.admin('DELETE', `/admin/v1/databases/${deleted.id}`);
  const run = { isDone: false };
  let written = 1;
  const writing = (async () => {
    while (!run.isDone) await node.run(busy, `INSERT INTO t VALUES (${++written})`);
  })();
  while (written < 10) await node.run(branch, 'SELECT 1');
  const result = await running('--key', 'new', '--all').ended;
  const goesOnFrom = written;
  while (written < goesOnFrom + 10) await node.run(branch, 'SELECT 1');
  run.isDone = true;
  await writing;
  expect(result).toMatchObject({ status: 0, output: expect.stringContaining('3 databases, 3 rewrapped, 0 failed') });
  expect(await running('--key', 'new', '--all').ended).toMatchObject({
    status: 0,
    output: expect.stringContaining('3 databases, 0 rewrapped, 0 failed'),
  });

  // Nobody holds the old key: neither what is open, nor what is opened now, nor what is brought back.
  await setKeyState(node.keyDirectory, 'old', 'disabled');
  // Long enough for the old key to be probed, if anybody still depended on it.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await node.run(busy, 'SELECT count(*) FROM t')).toEqual([[String(written)]]);
  await node.end('SIGTERM');
  await node.restart();
  expect(await node.run(node.here(busy), 'SELECT count(*) FROM t')).toEqual([[String(written)]]);
  expect(await node.run(node.here(branch), 'SELECT n FROM t WHERE n < 3')).toEqual([['1'], ['2']]);
  expect((await node.admin('POST', `/admin/v1/databases/${deleted.id}/undelete`, {})).status).toBe(200);
  expect(await node.run(node.here(deleted), 'SELECT n FROM t')).toEqual([['1']]);
  // And the new one takes everything.
  await setKeyState(node.keyDirectory, 'new', 'disabled');
  const refusal = async (): Promise<string> =>
    node.run(node.here(branch), 'SELECT 1').then(
      () => '',
      (error: unknown) => String(error),
    );
  while ((await refusal()) === '') await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await refusal()).toMatch(/KEY_REVOKED/);
  for (const key of ['old', 'new']) await setKeyState(node.keyDirectory, key, 'enabled');
});

it('goes on where a run was killed', async () => {
  const all: TestDatabase[] = [];
  for (let n = 0; n < 30; n++) all.push(await node.createDatabase(`many-${n}`, 'libsql', { keyId: 'old' }));
  const first = running('--key', 'new', '--all', '--per-second', '10');
  while (!(await keyOf(all)).includes('new')) await new Promise((resolve) => setTimeout(resolve, 50));
  first.child.kill('SIGKILL');
  await first.ended;
  const done = (await keyOf(all)).filter((key) => key === 'new').length;
  expect(done).toBeLessThan(all.length);
  const { status, output } = await running('--key', 'new', '--all').ended;
  expect(status).toBe(0);
  const [, rewrapped] = /, ([0-9]+) rewrapped, 0 failed/.exec(output) ?? [];
  expect(Number(rewrapped)).toBeLessThanOrEqual(all.length - done);
  expect(new Set(await keyOf(all))).toEqual(new Set(['new']));
});

async function keyOf(databases: readonly TestDatabase[]): Promise<string[]> {
  return Promise.all(
    databases.map(async ({ id }) => {
      const answer = (await (await node.admin('GET', `/admin/v1/databases/${id}`)).json()) as {
        database: { keyId: string };
      };
      return answer.database.keyId;
    }),
  );
}

it('names what cannot be rewrapped, and what is wrong with the call', async () => {
  const database = await created('stuck');
  await setKeyState(node.keyDirectory, 'old', 'disabled');
  expect(await running('--key', 'new', '--database', database.id).ended).toMatchObject({
    status: 1,
    output: expect.stringMatching(/NOT REWRAPPED\n {2}KEY_REVOKED: /),
  });
  await setKeyState(node.keyDirectory, 'old', 'enabled');
  expect(await running('--key', '../odd', '--database', database.id).ended).toMatchObject({
    status: 1,
    output: expect.stringContaining('KEY_ID_INVALID'),
  });
  for (const [words, message] of [
    [['--all'], '--key is missing'],
    [['--key', 'new'], 'give one of'],
    [['--key', 'new', '--all', '--database', database.id], 'give one of'],
    [['--key', 'new', '--all', '--per-second', '0'], '--per-second'],
  ] as const) {
    expect(await running(...words).ended).toMatchObject({ status: 2, output: expect.stringContaining(message) });
  }
});
