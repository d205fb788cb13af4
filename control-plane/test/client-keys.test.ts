/** Databases whose clients hold the key, through the official Platform SDK down to the data node. */
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@libsql/client';
import { cipherNames, ciphers, type CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import { readdir, readFile } from 'node:fs/promises';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const newKey = (cipher: CipherName): string => randomBytes(ciphers[cipher].keyBytes).toString('base64');
const keyed = (key: string, cipher?: CipherName) => ({
  remote_encryption: { encryption_key: key, ...(cipher !== undefined && { encryption_cipher: cipher }) } as {
    encryption_key: string;
    encryption_cipher: CipherName;
  },
});

/** What a client with this key reads, or the code of the error that it meets. */
async function read(local: LocalSystemForTests, name: string, key?: string, sql = 'SELECT n FROM t'): Promise<unknown> {
  const { jwt } = await local.api.databases.createToken(name);
  const client = createClient({
    url: `${local.system.dataUrl}/db/${name}-${local.system.organization}/`,
    authToken: jwt,
    ...(key !== undefined && { remoteEncryptionKey: key }),
  });
  try {
    return (await client.execute(sql)).rows.map((row) => row[0]);
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    client.close();
  }
}

describe('a database whose client holds the key', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  it.each(cipherNames)('is created with the cipher %s, and says so', async (cipher) => {
    const name = `created-${cipher}`;
    const key = newKey(cipher);
    await local.api.databases.create(name, { group: 'default', ...keyed(key, cipher) });
    const { body } = await local.call('GET', `/v1/databases/${name}`);
    expect(body).toMatchObject({ database: { Name: name, encryption_cipher: cipher } });
    expect(JSON.stringify(body)).not.toContain(key);
    expect(await read(local, name, key, 'SELECT 7')).toEqual([7]);
    expect(await read(local, name, undefined, 'SELECT 7')).toBe('ENCRYPTION_KEY_REQUIRED');
  });

  it('is branched, now and at a time, deleted and brought back', async () => {
    const key = newKey('aegis256');
    await local.api.databases.create('parent', keyed(key, 'aegis256'));
    await read(local, 'parent', key, 'CREATE TABLE t AS SELECT 1 AS n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const timestamp = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await read(local, 'parent', key, 'INSERT INTO t VALUES (2)');
    const seed = { type: 'database', name: 'parent' } as const;
    // As the CLI does: the key alone, the cipher is the parent's.
    const twig = await local.call('POST', '/v1/databases', { name: 'twig', seed, ...keyed(key) });
    expect(twig.status).toBe(200);
    await local.api.databases.create('past', { seed: { ...seed, timestamp }, ...keyed(key, 'aegis256') });
    expect((await local.call('GET', '/v1/databases/twig')).body).toMatchObject({
      database: { encryption_cipher: 'aegis256' },
    });
    expect(await read(local, 'twig', key)).toEqual([1, 2]);
    expect(await read(local, 'past', key)).toEqual([1]);
    expect(await read(local, 'past')).toBe('ENCRYPTION_KEY_REQUIRED');
    await local.api.databases.delete('parent');
    expect((await local.call('POST', '/v1/deleted-databases/parent/undelete')).status).toBe(200);
    expect((await local.call('GET', '/v1/databases/parent')).body).toMatchObject({
      database: { encryption_cipher: 'aegis256' },
    });
    expect(await read(local, 'parent', key)).toEqual([1, 2]);
  });

  it('is refused by name when key, cipher and parent do not go together, and its name stays free', async () => {
    const key = newKey('aegis256');
    await local.api.databases.create('locked', keyed(key, 'aegis256'));
    await local.api.databases.create('open');
    const seed = (name: string) => ({ seed: { type: 'database', name } });
    const arn = { remote_encryption: { kms_key_arn: 'default', encryption_key: key } };
    for (const [body, code] of [
      [keyed(key), 'ENCRYPTION_INVALID'],
      [keyed(newKey('aes128gcm'), 'aes256gcm'), 'ENCRYPTION_INVALID'],
      [keyed('not base64', 'aes256gcm'), 'ENCRYPTION_INVALID'],
      [keyed(key, 'rot13' as CipherName), 'ENCRYPTION_INVALID'],
      [{ remote_encryption: { encryption_cipher: 'aegis256' } }, 'ENCRYPTION_INVALID'],
      [arn, 'ENCRYPTION_INVALID'],
      [seed('locked'), 'ENCRYPTION_INVALID'],
      [{ ...seed('locked'), ...keyed(key, 'aes256gcm') }, 'ENCRYPTION_INVALID'],
      [{ ...seed('locked'), remote_encryption: { kms_key_arn: 'default' } }, 'ENCRYPTION_INVALID'],
      [{ ...seed('open'), ...keyed(key) }, 'ENCRYPTION_INVALID'],
      [{ ...seed('locked'), ...keyed(newKey('aegis256')) }, 'DATABASE_REFUSED'],
    ] as const) {
      const answer = await local.call('POST', '/v1/databases', { name: 'free', ...body });
      expect([body, answer.status, answer.body['code']]).toEqual([body, 400, code]);
    }
    expect((await local.call('POST', '/v1/groups', { name: 'g', ...keyed(key, 'aegis256') })).body['code']).toBe(
      'OPTION_NOT_OFFERED',
    );
    expect((await local.call('POST', '/v1/databases', { name: 'free' })).status).toBe(200);
  });

  it('has its key in no file of the whole system', async () => {
    const key = newKey('chacha20poly1305');
    await local.api.databases.create('searched', keyed(key, 'chacha20poly1305'));
    await read(local, 'searched', key, 'CREATE TABLE t AS SELECT 1 AS n');
    await read(local, 'searched', newKey('chacha20poly1305'));
    const bytes = Buffer.from(key, 'base64');
    const entries = await readdir(local.dataDirectory, { recursive: true, withFileTypes: true });
    let searched = 0;
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      // A beat's file goes when the next one comes.
      const content = await readFile(path).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
        throw error;
      });
      for (const form of [bytes, key.replace(/=+$/, ''), bytes.toString('hex')]) {
        expect([path, content.includes(form)]).toEqual([path, false]);
      }
      searched += 1;
    }
    expect(searched).toBeGreaterThan(20);
    expect(local.reports.join('\n')).not.toContain(key);
  });
});

describe('a control plane that is killed while it creates such a database', () => {
  let directory: string;
  let local: LocalSystemForTests | undefined;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'crashed-client-keys-'));
  });
  afterEach(async () => {
    await local?.stop();
    local = undefined;
    await rm(directory, { recursive: true });
  });

  async function crashedAt(step: string, key: string): Promise<LocalSystemForTests> {
    const started = await startLocalSystemForTests({
      controlPlane: fileURLToPath(new URL('support/crash-once.js', import.meta.url)),
      environment: { CRASH_STEP: step, CRASH_DATABASE: 'victim', CRASH_FILE: join(directory, 'crashed') },
    });
    local = started;
    await expect(started.api.databases.create('victim', keyed(key, 'aegis256'))).rejects.toThrow();
    await started.reported(/the control plane has ended \(signal SIGKILL\)/);
    return started;
  }

  async function eventually(local: LocalSystemForTests, method: string, path: string, body: unknown, status: number) {
    for (const untilMs = Date.now() + 30_000; ;) {
      const answer = await local.call(method, path, body).catch((error: unknown) => {
        // What fetch throws while nobody listens.
        if ((error as Error).name !== 'TypeError') throw error;
        return undefined;
      });
      if (answer?.status === status) return answer;
      if (Date.now() > untilMs) throw new Error(`${method} ${path} still answers ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('before the data plane has it, has it created by who asks again with the key', async () => {
    const key = newKey('aegis256');
    const system = await crashedAt('creating-row-inserted', key);
    await eventually(system, 'GET', '/v1/databases/victim', undefined, 404);
    await eventually(system, 'POST', '/v1/databases', { name: 'victim', ...keyed(key, 'aegis256') }, 200);
    expect(await read(system, 'victim', key, 'SELECT 7')).toEqual([7]);
  });

  it('before the data plane has it, frees the name for who deletes it', async () => {
    const system = await crashedAt('creating-row-inserted', newKey('aegis256'));
    await eventually(system, 'DELETE', '/v1/databases/victim', undefined, 200);
    await eventually(system, 'POST', '/v1/databases', { name: 'victim' }, 200);
    expect(await read(system, 'victim', undefined, 'SELECT 7')).toEqual([7]);
  });

  it('when the data plane has it, finds it, and gives it to nobody with another key', async () => {
    const key = newKey('aegis256');
    const system = await crashedAt('created-on-data-plane', key);
    await eventually(system, 'GET', '/v1/databases/victim', undefined, 200);
    const again = await system.call('POST', '/v1/databases', {
      name: 'victim',
      ...keyed(newKey('aegis256'), 'aegis256'),
    });
    expect(again.status).toBe(409);
    expect(await read(system, 'victim', key, 'SELECT 7')).toEqual([7]);
  });
});
