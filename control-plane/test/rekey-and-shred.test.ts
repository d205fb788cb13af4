/** Another data key for a database, and the end of those of a deleted one, through the Platform API. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

/** What a process of the system was started with. */
async function environmentOf(pid: number, name: string): Promise<string> {
  const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

describe('data keys through the Platform API', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  async function execute(name: string, ...statements: string[]): Promise<unknown[]> {
    const { jwt } = await local.api.databases.createToken(name);
    let rows: unknown[] = [];
    for (const sql of statements) ({ rows } = await local.open(name, jwt).execute(sql));
    return rows;
  }

  it('are replaced while the database is used, once for one number', async () => {
    const { api, call } = local;
    await api.databases.create('turned');
    await execute('turned', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const path = '/v1/databases/turned';
    const encryption = async (): Promise<any> => (await call('GET', `${path}/encryption`)).body['encryption'];
    expect(await encryption()).toMatchObject({ currentKey: 1, isResealed: true, dataKeys: [{ number: 1 }] });
    for (let repeated = 0; repeated < 2; repeated++) {
      const answer = await call('POST', `${path}/rekey`, { replaces: 1, drop_history: true });
      expect(answer).toMatchObject({ status: 200, body: { encryption: { currentKey: 2 } } });
    }
    await execute('turned', 'INSERT INTO t VALUES (2)');
    for (let state = await encryption(); state.dataKeys.length > 1; state = await encryption()) {
      expect(state.currentKey).toBe(2);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await call('POST', `${path}/rekey`, {})).toMatchObject({ body: { encryption: { currentKey: 3 } } });
    expect(await execute('turned', 'SELECT n FROM t')).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await call('POST', `${path}/rekey`, { replaces: 9 })).toMatchObject({
      status: 400,
      body: { code: 'DATABASE_REFUSED' },
    });
    expect(await call('POST', `${path}/rekey`, { replaces: 0 })).toMatchObject({ status: 400 });
    expect(await call('POST', '/v1/databases/nobody/rekey', {})).toMatchObject({ status: 404 });
  });

  it('go to a client that holds the key, and back', async () => {
    const { api, call } = local;
    await api.databases.create('held');
    await execute('held', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const path = '/v1/databases/held/encryption';
    const key = Buffer.alloc(32, 3).toString('base64');
    const toClient = { remote_encryption: { encryption_key: key, encryption_cipher: 'aes256gcm' } };
    for (let repeated = 0; repeated < 2; repeated++) {
      expect(await call('POST', path, toClient)).toMatchObject({
        status: 200,
        body: { encryption: { mode: 'client', cipher: 'aes256gcm' } },
      });
    }
    await expect(execute('held', 'SELECT n FROM t')).rejects.toThrow(/ENCRYPTION_KEY_REQUIRED|holds/);
    // A branch needs the key as well: the catalog knows by now.
    const seed = { type: 'database', name: 'held' };
    expect(await call('POST', '/v1/databases', { name: 'held-branch', seed })).toMatchObject({
      status: 400,
      body: { code: 'ENCRYPTION_INVALID' },
    });
    for (const body of [{}, { encryption_key: Buffer.alloc(32, 4).toString('base64') }]) {
      expect(await call('POST', path, body)).toMatchObject({ status: 400, body: { code: 'ENCRYPTION_INVALID' } });
    }
    expect(await call('POST', path, { encryption_key: key })).toMatchObject({
      status: 200,
      body: { encryption: { mode: 'kms', dataKeys: [{ number: 1, keyId: 'default' }] } },
    });
    expect(await execute('held', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
  });

  it('stay, with everything else, while the database is under a legal hold', async () => {
    const { api, call, system, dataDirectory } = local;
    const { id } = await api.databases.create('disputed');
    await execute('disputed', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const credential = await readFile(join(dataDirectory, 'secrets', 'admin-credential'), 'utf8');
    const url = await environmentOf(system.processes().controlPlane!, 'TURSO_BYOC_ADMIN_URL');
    const hold = async (method: string, query = '', body?: object): Promise<void> => {
      const answer = await fetch(`${url}/admin/v1/databases/${id}/hold${query}`, {
        method,
        headers: {
          authorization: `Bearer ${credential.trim()}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(answer.status).toBe(200);
    };
    await hold('PUT', '', { reference: 'matter 7', reason: 'nobody else is to know', requestedBy: 'alice' });
    const refused = { status: 409, body: { code: 'DATABASE_HELD' } };
    const path = '/v1/organizations/default';
    const answers = [
      await call('DELETE', `${path}/databases/disputed`),
      await call('DELETE', `${path}/groups/default`),
      await call('POST', `${path}/databases/disputed/rekey`, { drop_history: true }),
    ];
    expect(answers).toMatchObject([refused, refused, refused]);
    expect(JSON.stringify(answers)).not.toMatch(/matter|nobody/);
    // It is there as before, and so is the group.
    expect(await execute('disputed', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    expect(await call('GET', `${path}/groups/default`)).toMatchObject({ status: 200 });
    await hold('DELETE', `?${new URLSearchParams({ reference: 'matter 7', requestedBy: 'alice' }).toString()}`);
    expect(await call('DELETE', `${path}/databases/disputed`)).toMatchObject({ status: 200 });
  });

  it('of a deleted database are destroyed, and a certificate says by whom', async () => {
    const { api, call } = local;
    const { id } = await api.databases.create('gone');
    await execute('gone', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const path = `/v1/organizations/default/deleted-databases/${id}`;
    expect(await call('POST', `${path}/shred`, {})).toMatchObject({ status: 404 });
    await api.databases.delete('gone');
    expect(await call('GET', `${path}/certificate`)).toMatchObject({
      status: 404,
      body: { code: 'CERTIFICATE_NOT_FOUND' },
    });
    const { status, body } = await call('POST', `${path}/shred`, {});
    expect(status).toBe(200);
    expect(body['certificate']).toMatchObject({
      database: id,
      name: 'gone',
      requestedBy: expect.stringMatching(/^default, platform token ./) as string,
      keys: [{ number: 1 }],
    });
    expect((await call('GET', `${path}/certificate`)).body).toEqual(body);
    expect(await call('POST', `${path}/undelete`, {})).toMatchObject({ status: 410 });
  });
});
