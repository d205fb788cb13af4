/** The catalogue is a database of the data plane: a backup of the deployment holds it, and a restored one knows everything. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/backup/backup-command.js'));

async function backup(dataDirectory: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [command, ...words], {
    env: { ...process.env, TURSO_BYOC_STORE_DIR: join(dataDirectory, 'store') },
  });
  return stdout;
}

it('a deployment that is restored from a backup has its groups, databases and tokens', async () => {
  const backups = await mkdtemp(join(tmpdir(), 'backups-'));
  const url = pathToFileURL(backups).href;
  const systems: LocalSystemForTests[] = [];
  try {
    const first = await startLocalSystemForTests();
    systems.push(first);
    await first.api.groups.create('team', 'local');
    await first.api.databases.create('kept', { group: 'team' });
    const { jwt } = await first.api.databases.createToken('kept');
    const client = first.open('kept', jwt);
    for (const sql of ['CREATE TABLE t (a)', 'INSERT INTO t VALUES (42)']) await client.execute(sql);
    await backup(first.dataDirectory, 'take', '--backups', url);
    const [name = ''] =
      /\d{8}T\d{9}Z-[0-9a-f]{8}/.exec(await backup(first.dataDirectory, 'list', '--backups', url)) ?? [];

    const second = await startLocalSystemForTests({
      prepare: async (dataDirectory) => {
        await backup(dataDirectory, 'restore', '--backups', url, '--backup', name);
        // What is no object of the deployment: the keys, and the secrets of its processes.
        for (const kept of ['keys', 'secrets']) {
          await cp(join(first.dataDirectory, kept), join(dataDirectory, kept), { recursive: true });
        }
      },
    });
    systems.push(second);
    expect((await second.api.groups.list()).map((group) => group.name).sort()).toEqual(['default', 'team']);
    expect(await second.api.databases.list()).toMatchObject([{ name: 'kept', group: 'team' }]);
    expect((await second.open('kept', jwt).execute('SELECT a FROM t')).rows).toEqual([{ a: 42 }]);
    await second.api.databases.create('new', { group: 'team' });
    expect((await second.api.databases.list()).map((database) => database.name).sort()).toEqual(['kept', 'new']);
  } finally {
    for (const system of systems) await system.stop();
    await rm(backups, { recursive: true });
  }
});
