/** The command: a deployment is backed up while it serves, lost, and made again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DataNode } from '../support/data-node.js';

const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/backup/backup-command.js'));

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1' });
});
afterAll(async () => node.dispose());

async function backup(...words: string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, [command, ...words, '--backups', `file://${node.directory}/backups`], {
    env: { ...process.env, TURSO_BYOC_STORE_DIR: node.storeDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output };
}

it('brings every acknowledged row back after all stores are lost', async () => {
  const [busy, idle, other] = [
    await node.createDatabase('busy'),
    await node.createDatabase('idle'),
    await node.createDatabase('other'),
  ];
  for (const database of [busy, idle, other]) await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)');
  await node.run(idle, 'INSERT INTO t VALUES (1), (2)');
  // It goes on while the backup is taken.
  let written = 0;
  const run = { isDone: false };
  const writing = (async () => {
    while (!run.isDone) await node.run(busy, `INSERT INTO t VALUES (${++written})`);
  })();
  while (written < 20) await node.run(other, 'SELECT 1');
  const acknowledged = written - 1;
  const taken = await backup('take');
  run.isDone = true;
  await writing;
  expect(taken).toMatchObject({ status: 0, output: expect.stringMatching(/3 databases, 0 unchanged, 0 damaged/) });
  expect(await backup('verify')).toMatchObject({ status: 0, output: expect.stringMatching(/3 databases, 0 damaged/) });

  await node.end('SIGKILL');
  expect(await backup('restore')).toMatchObject({ status: 2, output: expect.stringContaining('holds a deployment') });
  await rename(node.storeDirectory, `${node.directory}/lost`);
  await rm(node.cacheDirectory, { recursive: true, force: true });
  expect(await backup('restore')).toMatchObject({ status: 0, output: expect.stringMatching(/restored from backup/) });
  await node.restart();
  expect(await node.run(idle, 'SELECT count(*) FROM t')).toEqual([['2']]);
  const [[count, last]] = (await node.run(busy, 'SELECT count(*), max(n) FROM t')) as [[string, string]];
  expect(Number(count)).toBeGreaterThanOrEqual(acknowledged);
  expect(count).toBe(last);
  await node.run(busy, `INSERT INTO t VALUES (${Number(last) + 1})`);
  // What was restored goes its own way; its backups go elsewhere.
  expect(await backup('take')).toMatchObject({ status: 2, output: expect.stringContaining('before it was restored') });
});

it.each([
  [['take'], /--backups is missing/, []],
  [['verify', '--backup', '20260101T000000000Z-00000000'], /there is no backup 2026/, undefined],
  [['prune', '--keep', '0'], /--keep must be a positive number/, undefined],
  [['list', '--help'], /usage: npm run backup/, undefined],
])('says what is wrong with %j', async (words, message, none) => {
  if (none === undefined) {
    expect((await backup(...words)).output).toMatch(message);
    return;
  }
  const child = spawn(process.execPath, [command, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(output).toMatch(message);
});
