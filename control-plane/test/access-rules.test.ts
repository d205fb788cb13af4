/** What the control plane says of tokens and databases holds on the data plane within seconds. */
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { eventually } from './support/platform-caller.js';

describe('access rules', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    for (const name of ['one', 'two']) await local.api.databases.create(name);
  });
  afterAll(async () => local.stop());

  const mint = async (name: string): Promise<string> => (await local.api.databases.createToken(name)).jwt;
  /** What a client meets now. */
  const meet = async (name: string, jwt: string, sql = 'SELECT 1'): Promise<string> =>
    local
      .open(name, jwt)
      .execute(sql)
      .then(
        () => 'works',
        (error: unknown) => (error as { code: string }).code,
      );

  it('end single tokens, and list those that are left', async () => {
    const [lost, kept] = [await mint('one'), await mint('one')];
    const path = '/v1/databases/one/auth/tokens';
    const listed = (await local.call('GET', path)).body['tokens'] as { id: string; access: string }[];
    expect(listed).toHaveLength(2);
    const idOf = (jwt: string): string =>
      (JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as { jti: string }).jti;
    expect(JSON.stringify(listed)).not.toContain(lost);
    expect(await local.call('DELETE', `${path}/${idOf(lost)}`)).toMatchObject({ status: 200 });
    await eventually(
      async () => meet('one', lost),
      (now) => now === 'AUTH_JWT_REVOKED',
    );
    expect(await meet('one', kept)).toBe('works');
    expect((await local.call('GET', path)).body['tokens']).toMatchObject([{ id: idOf(kept), access: 'full-access' }]);
    for (const id of [idOf(lost), 'nothing']) {
      expect(await local.call('DELETE', `${path}/${id}`)).toMatchObject({
        status: 404,
        body: { code: 'TOKEN_NOT_FOUND' },
      });
    }
  });

  it('rotate many databases at once, and leave the others', async () => {
    const [one, two] = [await mint('one'), await mint('two')];
    expect(await local.call('POST', '/v1/groups/default/databases/rotate', { databases: ['one'] })).toMatchObject({
      status: 200,
    });
    await eventually(
      async () => meet('one', one),
      (now) => now === 'AUTH_JWT_REVOKED',
    );
    expect(await meet('two', two)).toBe('works');
    expect(await local.call('POST', '/v1/groups/default/databases/rotate', { databases: ['one', 'no'] })).toMatchObject(
      { status: 404 },
    );
  });

  it('block writes, then reads, and let both through again', async () => {
    const jwt = await mint('two');
    await meet('two', jwt, 'CREATE TABLE IF NOT EXISTS t (v)');
    const configure = async (body: object) => local.call('PATCH', '/v1/databases/two/configuration', body);
    expect(await configure({ block_writes: true, delete_protection: null })).toMatchObject({
      status: 200,
      body: { block_writes: true, block_reads: false, delete_protection: false },
    });
    await eventually(
      async () => meet('two', jwt, 'INSERT INTO t VALUES (1)'),
      (now) => now === 'BLOCKED',
    );
    expect(await meet('two', jwt, 'SELECT * FROM t')).toBe('works');
    await configure({ block_reads: true });
    await eventually(
      async () => meet('two', jwt),
      (now) => now === 'BLOCKED',
    );
    expect((await local.call('GET', '/v1/databases/two')).body['database']).toMatchObject({ block_reads: true });
    await configure({ block_reads: false, block_writes: false });
    await eventually(
      async () => meet('two', jwt, 'INSERT INTO t VALUES (1)'),
      (now) => now === 'works',
    );
    expect(await meet('one', await mint('one'))).toBe('works');
  });

  it('limit the size of a database, and where requests come from', async () => {
    expect(
      await local.call('POST', '/v1/databases', { name: 'sized', group: 'default', size_limit: '256kb' }),
    ).toMatchObject({
      status: 200,
    });
    const path = '/v1/databases/sized/configuration';
    expect((await local.call('GET', path)).body).toMatchObject({ size_limit: '262144', allowed_ips: [] });
    const jwt = await mint('sized');
    await meet('sized', jwt, 'CREATE TABLE t (b)');
    await eventually(
      async () => meet('sized', jwt, 'INSERT INTO t VALUES (zeroblob(40000))'),
      (now) => now === 'SQLITE_FULL',
    );
    for (const wrong of [
      { size_limit: 'large' },
      { size_limit: '1' },
      { allowed_ips: ['10.0.0.0/33'] },
      { allowed_ips: ['localhost'] },
      { allowed_aws_vpc_ids: ['vpc-1'] },
    ]) {
      const code = 'size_limit' in wrong ? 'SIZE_INVALID' : 'ALLOW_LIST_INVALID';
      expect(await local.call('PATCH', path, wrong)).toMatchObject({ status: 400, body: { code } });
    }
    const lists = { allowed_ips: ['10.0.0.0/8'], allowed_aws_vpc_ids: ['vpce-1a'] };
    expect(await local.call('PATCH', path, lists)).toMatchObject({
      status: 200,
      body: { ...lists, size_limit: '262144' },
    });
    await eventually(
      async () => meet('sized', jwt),
      (now) => now === 'ORIGIN_FORBIDDEN',
    );
    expect(await meet('two', await mint('two'))).toBe('works');
    expect(
      await local.call('PATCH', path, { allowed_ips: null, allowed_aws_vpc_ids: [], size_limit: '' }),
    ).toMatchObject({
      body: { allowed_ips: [], allowed_aws_vpc_ids: [], size_limit: '' },
    });
    await eventually(
      async () => meet('sized', jwt, 'INSERT INTO t VALUES (zeroblob(40000))'),
      (now) => now === 'works',
    );
    await local.call('POST', '/v1/groups', { name: 'fenced' });
    await local.call('POST', '/v1/databases', { name: 'within', group: 'fenced' });
    const groupPath = '/v1/groups/fenced/configuration';
    expect(await local.call('PATCH', groupPath, { allowed_ips: ['10.0.0.1'] })).toMatchObject({
      body: { allowed_ips: ['10.0.0.1'], allowed_aws_vpc_ids: [], delete_protection: false },
    });
    const within = await mint('within');
    await eventually(
      async () => meet('within', within),
      (now) => now === 'ORIGIN_FORBIDDEN',
    );
    await local.call('PATCH', groupPath, { allowed_ips: ['127.0.0.1', '::1'] });
    await eventually(
      async () => meet('within', within),
      (now) => now === 'works',
    );
  });

  it('outlive a deletion: a database that comes back does not bring its old tokens back', async () => {
    await local.api.databases.create('gone');
    const old = await mint('gone');
    await local.api.databases.rotateTokens('gone');
    await local.api.databases.delete('gone');
    expect(await local.call('POST', '/v1/deleted-databases/gone/undelete')).toMatchObject({ status: 200 });
    await eventually(
      async () => meet('gone', old),
      (now) => now === 'AUTH_JWT_REVOKED',
    );
    expect(await meet('gone', await mint('gone'))).toBe('works');
  });

  it('protect a database and a group from deletion', async () => {
    const { call } = local;
    await call('POST', '/v1/groups', { name: 'safe' });
    await call('POST', '/v1/databases', { name: 'kept', group: 'safe' });
    await call('PATCH', '/v1/databases/kept/configuration', { delete_protection: true });
    const refused = { status: 400, body: { code: 'DELETE_PROTECTED' } };
    expect(await call('DELETE', '/v1/databases/kept')).toMatchObject(refused);
    expect(await call('DELETE', '/v1/groups/safe')).toMatchObject(refused);
    await call('PATCH', '/v1/databases/kept/configuration', { delete_protection: false });
    expect(await call('PATCH', '/v1/groups/safe/configuration', { delete_protection: true })).toMatchObject({
      status: 200,
      body: { delete_protection: true },
    });
    expect(await call('DELETE', '/v1/groups/safe')).toMatchObject(refused);
    expect(await call('PATCH', '/v1/groups/safe/configuration', { delete_protection: null })).toMatchObject({
      body: { delete_protection: true },
    });
    await call('PATCH', '/v1/groups/safe/configuration', { delete_protection: false });
    expect(await call('DELETE', '/v1/groups/safe')).toMatchObject({ status: 200 });
  });
});
