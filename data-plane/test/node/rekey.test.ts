/** Databases get new data keys while they are written, and lose them for good when they are deleted; by operators' commands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { EncryptionState } from '../../src/database/encryption-state.js';
import { filesBelow } from '../files-below.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { StoreSurgery } from '../support/store-surgery.js';

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({
    ...sharedLease,
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_COMMIT_WINDOW_MS: '1',
  });
});
afterAll(async () => node.dispose());

async function command(name: string, ...words: string[]): Promise<{ status: number | null; output: string }> {
  const program = fileURLToPath(import.meta.resolve(`@turso-byoc/data-plane/${name}/${name}-command.js`));
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, TURSO_BYOC_STORE_DIR: node.storeDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output };
}

const admin = (): string[] => ['--node', node.adminUrl, '--credential', node.credentialFile];

async function encryption({ id }: TestDatabase): Promise<EncryptionState> {
  const answer = await node.admin('GET', `/admin/v1/databases/${id}/encryption`);
  return ((await answer.json()) as { encryption: EncryptionState }).encryption;
}

/** Whether a text stands in any file of the store. */
async function isStored(text: string): Promise<boolean> {
  for (const file of await filesBelow(node.storeDirectory)) {
    // What is replaced all the time, node records, may be gone by now.
    const bytes = await readFile(file).catch((error: unknown) => {
      if (!String(error).includes('ENOENT')) throw error;
      return Buffer.alloc(0);
    });
    if (bytes.includes(text)) return true;
  }
  return false;
}

it('fails no request of databases that are written, and takes the old keys away', async () => {
  const databases = [
    await node.createDatabase('busy-libsql', 'libsql'),
    await node.createDatabase('busy-tursodb', 'tursodb'),
  ];
  const idle = await node.createDatabase('idle', 'libsql');
  for (const database of [...databases, idle]) {
    await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, filler)');
    await node.run(database, 'INSERT INTO t VALUES (0, hex(zeroblob(200000)))');
  }
  const run = { isDone: false };
  const written = databases.map(() => 0);
  const writers = databases.flatMap((database, at) =>
    Array.from({ length: 3 }, async (_, writer) => {
      for (let n = 1; !run.isDone; n++) {
        await node.run(database, `INSERT INTO t VALUES (${writer + 1 + n * 10}, 'x')`);
        written[at] = (written[at] ?? 0) + 1;
      }
    }),
  );
  while (Math.min(...written) < 10) await node.run(idle, 'SELECT 1');
  const result = await command('rekey', '--all', '--drop-history', ...admin());
  const from = [...written];
  while (databases.some((_, at) => (written[at] ?? 0) < (from[at] ?? 0) + 10)) await node.run(idle, 'SELECT 1');
  run.isDone = true;
  // A request that failed would end its writer, and this.
  await Promise.all(writers);
  expect(result).toMatchObject({ status: 0, output: expect.stringContaining('3 databases, 3 rekeyed, 0 failed') });

  for (const database of [...databases, idle]) {
    for (let state = await encryption(database); state.dataKeys.length > 1; state = await encryption(database)) {
      await node.admin('POST', `/admin/v1/databases/${database.id}/collect`);
    }
    expect(await encryption(database)).toMatchObject({
      currentKey: 2,
      isResealed: true,
      dataKeys: [{ number: 2, reasons: [{ because: 'current' }] }],
    });
  }
  // A crash finds everything under the new keys, and another run with the same time has nothing to do.
  await node.end('SIGKILL');
  await node.restart();
  for (const [at, database] of databases.entries()) {
    expect(await node.run(node.here(database), 'SELECT count(*) FROM t')).toEqual([[String((written[at] ?? 0) + 1)]]);
  }
  const [, olderThan = ''] = /data keys from before (\S+)/.exec(result.output) ?? [];
  expect(await command('rekey', '--all', '--older-than', olderThan, ...admin())).toMatchObject({
    status: 0,
    output: expect.stringContaining('3 databases, 0 rekeyed, 0 failed'),
  });
  for (const database of databases) await node.admin('DELETE', `/admin/v1/databases/${database.id}`);
  expect(await command('scrub', ...scrubStores())).toMatchObject({
    status: 0,
    output: expect.stringMatching(new RegExp(`${idle.id} whole.*, under data keys 2\n`)),
  });
});

function scrubStores(): string[] {
  return ['--data', `file://${node.storeDirectory}/data`, '--log', `file://${node.storeDirectory}/log`];
}

it('keeps the old key for history and branches, and says so', async () => {
  const database = await node.createDatabase('kept', 'libsql');
  await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
  const twig = await node.createDatabase('kept-twig', 'libsql', { branch: { parent: database.id } });
  const rekeyed = await node.admin('POST', `/admin/v1/databases/${database.id}/rekey`, { replaces: 1 });
  expect(rekeyed.status).toBe(200);
  while (!(await encryption(database)).isResealed) await node.run(twig, 'SELECT 1');
  const { dataKeys } = await encryption(database);
  expect(dataKeys.map(({ number }) => number)).toEqual([2, 1]);
  expect(dataKeys[1]?.reasons.map(({ because }) => because)).toContain('history');
  const refused = await node.admin('POST', `/admin/v1/databases/${database.id}/rekey`, { replaces: 7 });
  expect(await refused.json()).toMatchObject({ code: 'REKEY_REFUSED' });
  expect((await node.admin('POST', `/admin/v1/databases/${database.id}/rekey`, { replaces: 0 })).status).toBe(400);
  expect(await node.run(twig, 'SELECT n FROM t')).toEqual([['1']]);
});

it('shreds a deleted database: its wrapped keys are nowhere, a certificate says so, and copies in backups are named', async () => {
  const database = await node.createDatabase('secret', 'libsql');
  await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
  const surgery = await StoreSurgery.of(node);
  const wrapped = (await surgery.manifestOf(database)).keys.map((key) => key.wrapped);
  const destroy = ['destroy', '--database', database.id, '--by', 'alice', ...admin()];
  expect(await command('shred', ...destroy)).toMatchObject({
    status: 2,
    output: expect.stringContaining('SHRED_REFUSED'),
  });
  const backups = `file://${node.directory}/backups-of-shred`;
  expect(await command('backup', 'take', '--backups', backups)).toMatchObject({ status: 0 });
  await node.admin('DELETE', `/admin/v1/databases/${database.id}`);
  for (const key of wrapped) expect(await isStored(key)).toBe(true);

  const result = await command('shred', ...destroy, '--backups', backups);
  expect(result).toMatchObject({ status: 1, output: expect.stringMatching(/ALIVE in backup file:.* [0-9]{8}T/) });
  expect(result.output).toContain('"requestedBy": "alice"');
  for (const key of wrapped) expect(await isStored(key)).toBe(false);
  const again = await command('shred', 'certificate', '--database', database.id, ...admin());
  expect(again).toMatchObject({ status: 0, output: expect.stringContaining('"requestedBy": "alice"') });
  expect((await node.admin('POST', `/admin/v1/databases/${database.id}/undelete`, {})).status).toBe(410);

  // Without the backup that held it nothing names it any more.
  expect(await command('backup', 'take', '--backups', backups, '--keep', '1')).toMatchObject({ status: 0 });
  const withBackups = ['certificate', '--database', database.id, '--backups', backups, ...admin()];
  expect(await command('shred', ...withBackups)).toMatchObject({ status: 0 });
});

it('changes who holds the key of a database while it is written', async () => {
  const database = await node.createDatabase('held', 'libsql');
  await node.run(database, 'CREATE TABLE t (n)');
  const keyFile = `${node.directory}/client-key`;
  const key = Buffer.alloc(32, 9).toString('base64');
  await writeFile(keyFile, `${key}\n`, { mode: 0o600 });
  const at = ['--database', database.id, ...admin()];
  const insert = async (clientKey?: string): Promise<{ status: number; code: string | undefined }> => {
    const answer = await fetch(`${database.url}v2/pipeline`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${database.token}`,
        ...(clientKey !== undefined && { 'x-turso-encryption-key': clientKey }),
      },
      body: JSON.stringify({
        requests: [{ type: 'execute', stmt: { sql: 'INSERT INTO t VALUES (1)' } }, { type: 'close' }],
      }),
    });
    return { status: answer.status, code: ((await answer.json()) as { code?: string }).code };
  };
  const toClient = ['to-client', '--new-key-file', keyFile, '--cipher', 'aes256gcm', ...at];
  expect(await command('encryption', ...toClient)).toMatchObject({
    status: 0,
    output: expect.stringContaining('"mode": "client"'),
  });
  expect(await insert()).toMatchObject({ code: 'ENCRYPTION_KEY_REQUIRED' });
  expect(await insert(key)).toMatchObject({ status: 200 });
  expect(await command('encryption', 'to-service', ...at)).toMatchObject({
    status: 2,
    output: expect.stringContaining('ENCRYPTION_KEY_REQUIRED'),
  });
  // With another data key what the key service had wrapped opens nothing any more.
  const rekeyed = await node.admin('POST', `/admin/v1/databases/${database.id}/rekey`, {
    replaces: 1,
    dropHistory: true,
    encryption: { key },
  });
  expect(rekeyed.status).toBe(200);
  expect(await insert(key)).toMatchObject({ status: 200 });
  expect(await command('encryption', 'to-service', '--key-file', keyFile, ...at)).toMatchObject({
    status: 0,
    output: expect.stringContaining('"mode": "kms"'),
  });
  expect(await insert(key)).toMatchObject({ code: 'ENCRYPTION_KEY_UNEXPECTED' });
  await node.end('SIGKILL');
  await node.restart();
  expect(await node.run(node.here(database), 'SELECT count(*) FROM t')).toEqual([['2']]);
  expect(await command('encryption', 'show', '--database', database.id, ...admin())).toMatchObject({
    status: 0,
    output: expect.stringContaining('"currentKey": 2'),
  });
});

it('holds databases and lets them go, by the command and over the admin interface', async () => {
  const database = await node.createDatabase('disputed', 'libsql');
  await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
  const path = `/admin/v1/databases/${database.id}`;
  const at = ['--database', database.id, '--reference', 'matter 7', ...admin()];
  expect(await command('hold', ...at, '--reason', 'a dispute', '--by', 'alice')).toMatchObject({
    status: 0,
    output: expect.stringMatching(/disputed: 1 holds\n {2}matter 7: since 2\S+, placed by alice at \S+: a dispute\n/),
  });
  expect(await command('hold', '--list', ...admin())).toMatchObject({
    status: 0,
    output: expect.stringMatching(/\/disputed\n {2}matter 7: .*\n1 databases held\n/),
  });
  // Those who use it notice nothing of what is refused: not even a stream ends.
  const pipeline = async (baton: string | undefined, ...requests: object[]): Promise<{ baton: string }> => {
    const answer = await fetch(`${database.url}v2/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${database.token}` },
      body: JSON.stringify({ baton, requests }),
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as { baton: string };
  };
  const { baton } = await pipeline(undefined, { type: 'execute', stmt: { sql: 'BEGIN IMMEDIATE' } });
  const deletion = await node.admin('DELETE', path);
  expect(deletion.status).toBe(409);
  expect(await deletion.json()).toMatchObject({ code: 'DATABASE_HELD' });
  const insert = { type: 'execute', stmt: { sql: 'INSERT INTO t VALUES (2)' } };
  await pipeline(baton, insert, { type: 'execute', stmt: { sql: 'COMMIT' } }, { type: 'close' });
  expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['2']]);
  const rekeyed = await node.admin('POST', `${path}/rekey`, { replaces: 1, dropHistory: true });
  expect(await rekeyed.json()).toMatchObject({ code: 'DATABASE_HELD' });

  // It is a matter of the store, not of the node that was asked.
  await node.end('SIGKILL');
  await node.restart();
  expect((await node.admin('DELETE', path)).status).toBe(409);
  const state = (await (await node.admin('GET', `${path}/hold`)).json()) as { hold: object };
  expect(state.hold).toMatchObject({ name: 'disputed', holds: [{ reference: 'matter 7', reason: 'a dispute' }] });
  expect(await command('hold', '--release', ...at, '--by', 'bob')).toMatchObject({
    status: 0,
    output: expect.stringMatching(/disputed: 0 holds\n {2}matter 7: .*; released by bob at /),
  });
  expect(await command('hold', '--release', ...at)).toMatchObject({ status: 1 });
  expect((await node.admin('DELETE', path)).status).toBe(200);
});

it('says what is wrong with a call', async () => {
  const sample = '11111111-1111-4111-8111-111111111111';
  for (const [name, words, message] of [
    ['rekey', ['--all', '--older-than', 'soon'], '--older-than'],
    ['rekey', ['--all', '--patience', '0'], '--patience'],
    ['rekey', [], 'give one of'],
    ['shred', ['destroy'], '--database is missing'],
    ['shred', ['burn'], 'say destroy or certificate'],
    ['hold', [], '--database is missing'],
    ['hold', ['--list', '--release'], 'say --list or --release'],
    ['hold', ['--database', sample], '--reference is missing'],
    ['hold', ['--database', sample, '--reference', 'a'], '--reason is missing'],
    ['hold', ['--database', sample, '--reference', 'a', '--reason', 'b', '--since', 'soon'], '--since must be a time'],
    ['encryption', [], 'say show, to-client or to-service'],
    ['encryption', ['show'], '--database is missing'],
    ['encryption', ['to-client', '--database', sample], '--new-key-file is missing'],
    ['encryption', ['to-client', '--database', sample, '--new-key-file', node.credentialFile], '--cipher must be'],
  ] as const) {
    expect(await command(name, ...words, ...admin())).toMatchObject({
      status: 2,
      output: expect.stringContaining(message),
    });
  }
});
