/** Tokens from the Platform API open databases of the data plane, and only those they were minted for. */
import { decodeJwt } from 'jose';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('database tokens', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    await local.api.groups.create('team', 'local');
    await local.api.databases.create('one');
    await local.api.databases.create('two', { group: 'team' });
  });
  afterAll(async () => local.stop());

  const values = async (database: string, token: string): Promise<unknown[]> =>
    (await local.open(database, token).execute('SELECT v FROM t ORDER BY v')).rows.map((row) => row['v']);

  it('open one database for reading and writing, or for reading only', async () => {
    const { jwt } = await local.api.databases.createToken('one');
    const client = local.open('one', jwt);
    await client.execute('CREATE TABLE t (v INTEGER)');
    await client.execute({ sql: 'INSERT INTO t VALUES (?)', args: [1] });
    const readOnly = (await local.api.databases.createToken('one', { authorization: 'read-only' })).jwt;
    expect(await values('one', readOnly)).toEqual([1]);
    await expect(local.open('one', readOnly).execute('INSERT INTO t VALUES (2)')).rejects.toThrow();
    expect(await values('one', jwt)).toEqual([1]);
    await expect(values('two', jwt)).rejects.toThrow();
  });

  it('open every database of a group', async () => {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- only its option "permissions" is
    const { jwt } = await local.api.groups.createToken('team');
    const client = local.open('two', jwt);
    await client.execute('CREATE TABLE t (v INTEGER)');
    expect(await values('two', jwt)).toEqual([]);
    await expect(values('one', jwt)).rejects.toThrow();
  });

  it('expire when asked to', async () => {
    const day = decodeJwt((await local.api.databases.createToken('one', { expiration: '1d' })).jwt);
    expect(day.exp).toBe((day.iat ?? 0) + 86_400);
    const never = decodeJwt((await local.api.databases.createToken('one', { expiration: 'never' })).jwt);
    expect(never.exp).toBeUndefined();
    await expect(local.api.databases.createToken('one', { expiration: 'soon' })).rejects.toMatchObject({
      status: 400,
      message: 'Invalid expiration format',
    });
  });

  it('permit actions on single tables, and say so in the list', async () => {
    const full = local.open('one', (await local.api.databases.createToken('one')).jwt);
    await full.batch(['CREATE TABLE open_t (v)', 'CREATE TABLE closed_t (v)', 'INSERT INTO closed_t VALUES (9)']);
    const fineGrained = { fine_grained_permissions: [{ t: ['open_t'], a: ['data_read', 'data_add'] }] };
    for (const path of ['/v1/databases/one/auth/tokens', '/v1/groups/default/auth/tokens']) {
      const { jwt } = (await local.call('POST', path, fineGrained)).body as { jwt: string };
      const client = local.open('one', jwt);
      await client.execute('INSERT INTO open_t VALUES (1)');
      await expect(client.execute('DELETE FROM open_t')).rejects.toMatchObject({ code: 'SQLITE_AUTH' });
      await expect(client.execute('SELECT * FROM closed_t')).rejects.toMatchObject({ code: 'SQLITE_AUTH' });
      const { tokens } = (await local.call('GET', path)).body as { tokens: object[] };
      expect(tokens).toContainEqual(expect.objectContaining(fineGrained));
      await expect(values('two', jwt)).rejects.toMatchObject({ code: 'AUTH_FORBIDDEN' });
    }
  });

  it('are refused with rights that are not offered', async () => {
    await expect(
      local.api.databases.createToken('one', { permissions: { read_attach: { databases: ['two'] } } }),
    ).rejects.toMatchObject({ status: 400 });
    const path = '/v1/databases/one/auth/tokens';
    for (const wrong of [
      [{ t: null, a: ['data_everything'] }],
      [{ a: [] }],
      ['users'],
      [{ t: [], a: ['data_read'] }],
    ]) {
      expect(await local.call('POST', path, { fine_grained_permissions: wrong })).toMatchObject({
        status: 400,
        body: { code: 'PERMISSIONS_INVALID' },
      });
    }
    expect(await local.call('POST', `${path}?authorization=admin`)).toMatchObject({ status: 400 });
    expect(await local.call('POST', '/v1/databases/none/auth/tokens')).toMatchObject({ status: 404 });
    expect(await local.call('POST', '/v1/groups/none/auth/tokens')).toMatchObject({ status: 404 });
  });

  it('do not open the Platform API, nor platform tokens a database', async () => {
    const { jwt } = await local.api.databases.createToken('one');
    const response = await fetch(`${local.system.apiUrl}/v1/databases`, {
      headers: { authorization: `Bearer ${jwt}` },
    });
    expect(response.status).toBe(401);
    await expect(values('one', local.system.token)).rejects.toThrow();
  });
});
