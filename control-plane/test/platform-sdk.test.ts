/** The official Platform SDK against a whole local system: every call it has. */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@tursodatabase/api';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('@tursodatabase/api', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  const refused = (status: number, message: string | RegExp) =>
    expect.objectContaining({
      name: 'TursoClientError',
      status,
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    }) as Error;

  it('creates, lists, gets and deletes databases', async () => {
    const { api, system } = local;
    const hostname = `shop-default.${new URL(system.dataUrl).host.replace('127.0.0.1', 'localhost')}`;
    const created = await api.databases.create('shop');
    expect(created).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string, name: 'shop', hostname });
    const expected = {
      name: 'shop',
      id: created.id,
      hostname,
      regions: ['local'],
      primaryRegion: 'local',
      type: 'logical',
      database_type: 'libsql',
      version: 'v0.1.0',
      group: 'default',
      sleeping: false,
      archived: false,
      allow_attach: false,
      block_reads: false,
      block_writes: false,
      schema: '',
      is_schema: false,
    };
    expect(await api.databases.get('shop')).toEqual(expected);
    expect(await api.databases.list()).toContainEqual(expected);
    expect(await api.databases.listInstances('shop')).toEqual([
      { uuid: created.id, name: 'local', type: 'primary', region: 'local', hostname },
    ]);
    expect(await api.databases.getInstance('shop', 'local')).toMatchObject({ type: 'primary' });
    expect(await api.databases.delete('shop')).toEqual({ database: 'shop' });
    await expect(api.databases.get('shop')).rejects.toEqual(
      refused(404, 'could not find database with name shop: record not found'),
    );
    await expect(api.databases.delete('shop')).rejects.toEqual(refused(404, /^could not find database/));
  });

  it('never gives a name twice, nor an id again', async () => {
    const { api } = local;
    const first = await api.databases.create('once', { group: 'default' });
    await expect(api.databases.create('once')).rejects.toEqual(refused(409, 'database with name once already exists'));
    await api.databases.delete('once');
    const second = await api.databases.create('once');
    expect(second.id).not.toBe(first.id);

    const racing = await Promise.allSettled(Array.from({ length: 6 }, async () => api.databases.create('raced')));
    const winners = racing.filter((result) => result.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const result of racing) {
      if (result.status === 'rejected') expect(result.reason).toEqual(refused(409, /already exists/));
    }
    expect((await api.databases.get('raced')).id).toBe(winners[0]?.value.id);
  });

  it('creates databases of either engine', async () => {
    const { api } = local;
    await api.databases.create('modern', { useTursoDb: true });
    const modern = await api.databases.get('modern');
    expect(modern.database_type).toBe('tursodb');
    // The CLI tells the engines apart by this byte.
    expect(modern.id.replaceAll('-', '').slice(10, 12)).toBe('10');
  });

  it('refuses what is not offered instead of ignoring it', async () => {
    const { api } = local;
    await expect(
      api.databases.create('x', { seed: { type: 'dump', url: 'https://dump.example/d.sql' } }),
    ).rejects.toEqual(refused(400, /no other address/));
    await expect(api.databases.create('x', { size_limit: 'large' })).rejects.toEqual(
      refused(400, /"size_limit" is "large", which is no size/),
    );
    await expect(
      api.databases.create('x', { remote_encryption: { encryption_key: 'a2V5', encryption_cipher: 'aes256gcm' } }),
    ).rejects.toEqual(refused(400, /the encryption key has 3 bytes/));
    await expect(api.databases.create('x', { is_schema: true })).rejects.toEqual(refused(400, /is_schema/));
    await expect(api.databases.create('x', { image: 'canary' })).rejects.toEqual(refused(400, /image/));
    await expect(api.databases.create('x', { group: 'none' })).rejects.toEqual(refused(400, 'group not found'));
    await expect(api.databases.create('Not A Name')).rejects.toEqual(refused(400, /lower-case/));
    await expect(api.databases.create('a'.repeat(60))).rejects.toEqual(refused(400, /63 characters/));
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated as it is, it is a call of the package
    await expect(api.groups.addLocation('default', 'local')).rejects.toEqual(refused(400, /not supported/));
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the same
    await expect(api.groups.removeLocation('default', 'local')).rejects.toEqual(refused(400, /not supported/));
    await expect(api.databases.get('x')).rejects.toEqual(refused(404, /could not find/));
  });

  it('tells what a database uses, and keeps it up to date', async () => {
    const { api } = local;
    const { id } = await api.databases.create('metered');
    const usage = { rows_read: 0, rows_written: 0, storage_bytes: expect.any(Number) as number, bytes_synced: 0 };
    const used = async (): Promise<object> => (await api.databases.usage('metered', { from })).usage;
    const from = new Date('2026-01-01T00:00:00Z');
    expect(await api.databases.usage('metered', { from, to: new Date() })).toMatchObject({
      uuid: id,
      instances: [{ uuid: id, usage }],
      usage,
    });
    await expect(api.databases.usage('metered', { from: 'yesterday' })).rejects.toThrow();
    const client = local.open('metered', (await api.databases.createToken('metered')).jwt);
    await client.batch(['CREATE TABLE t (a)', 'INSERT INTO t VALUES (1), (2)', 'SELECT * FROM t'], 'write');
    // Collected once in ten seconds at most, however often it is asked for.
    for (let now = await used(); !('rows_read' in now) || now.rows_read === 0; now = await used()) await delay(250);
    expect(await used()).toMatchObject({ rows_read: 2, rows_written: 2, bytes_synced: 0 });
    await expect(api.databases.updateVersion('metered')).resolves.not.toThrow();
  });

  it('rotates the tokens of a database and of a group', async () => {
    const { api, open } = local;
    await api.databases.create('rotated');
    const before = (await api.databases.createToken('rotated')).jwt;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- only its option "permissions" is
    const ofGroup = (await api.groups.createToken('default')).jwt;
    for (const jwt of [before, ofGroup]) await open('rotated', jwt).execute('SELECT 1');
    const isRefused = async (jwt: string): Promise<void> => {
      for (;;) {
        const failure = await open('rotated', jwt)
          .execute('SELECT 1')
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        if (failure !== undefined) {
          expect(failure).toMatchObject({ code: 'AUTH_JWT_REVOKED' });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    await api.databases.rotateTokens('rotated');
    await isRefused(before);
    await open('rotated', ofGroup).execute('SELECT 1');
    const after = (await api.databases.createToken('rotated')).jwt;
    await open('rotated', after).execute('SELECT 1');
    await api.groups.rotateTokens('default');
    for (const jwt of [ofGroup, after]) await isRefused(jwt);
    await open('rotated', (await api.databases.createToken('rotated')).jwt).execute('SELECT 1');
  });

  it('creates, lists, gets and deletes groups, with everything in them', async () => {
    const { api } = local;
    expect(await api.groups.list()).toContainEqual(
      expect.objectContaining({ name: 'default', primary: 'local', locations: ['local'] }),
    );
    expect(await api.groups.create('team', 'local')).toMatchObject({ name: 'team', primary: 'local' });
    await expect(api.groups.create('team', 'local')).rejects.toEqual(refused(409, 'group already exists'));
    await expect(api.groups.create('far', 'ams')).rejects.toEqual(refused(400, 'invalid location: ams'));
    await expect(api.groups.create('No', 'local')).rejects.toEqual(refused(400, /group name/));
    await api.databases.create('in-team', { group: 'team' });
    expect((await api.databases.list({ group: 'team' })).map((database) => database.name)).toEqual(['in-team']);
    expect(await api.groups.get('team')).toMatchObject({ name: 'team' });
    expect(await api.groups.delete('team')).toMatchObject({ name: 'team' });
    await expect(api.groups.get('team')).rejects.toEqual(refused(404, 'group not found'));
    await expect(api.databases.get('in-team')).rejects.toEqual(refused(404, /could not find/));
    await expect(api.groups.delete('team')).rejects.toEqual(refused(404, 'group not found'));
  });

  it('knows the one organization', async () => {
    const { api, system } = local;
    expect(await api.organizations.list()).toEqual([expect.objectContaining({ slug: 'default', type: 'personal' })]);
    expect(await api.organizations.update({ overages: false })).toMatchObject({ slug: 'default' });
    await expect(api.organizations.update({ overages: true })).rejects.toEqual(refused(400, /overages/));
    await expect(api.organizations.delete()).rejects.toEqual(refused(400, /cannot be deleted/));
    expect(await api.organizations.members()).toEqual([{ username: 'default', role: 'owner', email: '' }]);
    await expect(api.organizations.addMember('ada')).rejects.toEqual(refused(404, 'could not find user ada'));
    await expect(api.organizations.removeMember('ada')).rejects.toEqual(refused(404, /not a member/));
    expect(await local.call('POST', '/v1/users', { username: 'ada' })).toMatchObject({ status: 200 });
    expect(await api.organizations.addMember('ada', 'admin')).toEqual({ member: 'ada', role: 'admin' });
    expect(await api.organizations.members()).toContainEqual({ username: 'ada', role: 'admin', email: '' });
    expect(await api.organizations.removeMember('ada')).toEqual({ member: 'ada' });
    expect(await api.organizations.listInvites()).toEqual([]);
    const invite = await api.organizations.inviteUser('ada@example.com', 'admin');
    expect(invite).toMatchObject({ email: 'ada@example.com', role: 'admin', organization: 'default' });
    expect(invite.token.length).toBeGreaterThan(20);
    expect(await api.organizations.listInvites()).toMatchObject([{ email: 'ada@example.com', role: 'admin' }]);
    await expect(api.organizations.deleteInvite('ada@example.com')).resolves.not.toThrow();
    await expect(api.organizations.deleteInvite('ada@example.com')).rejects.toEqual(refused(404, 'invite not found'));
    expect(await api.organizations.invoices()).toEqual([]);
    const stranger = createClient({ org: 'other', token: system.token, baseUrl: `${system.apiUrl}/v1/` });
    await expect(stranger.databases.list()).rejects.toEqual(refused(404, 'organization not found'));
    await expect(stranger.groups.list()).rejects.toEqual(refused(404, 'organization not found'));
  });

  it('addresses everything by id under v3', async () => {
    const { system } = local;
    const [{ id: orgId }] = (await local.call('GET', '/v2/organizations')).body['organizations'] as [{ id: string }];
    const v3 = createClient({ orgId, token: system.token, baseUrl: `${system.apiUrl}/v3/` });
    const [{ uuid: groupId }] = (await local.call('GET', '/v1/groups')).body['groups'] as [{ uuid: string }];
    const { id } = await v3.databases.create('by-id', { groupId });
    expect(await v3.databases.get(id)).toMatchObject({ name: 'by-id', id });
    expect((await v3.databases.list()).map(({ name }) => name)).toContain('by-id');
    expect((await v3.databases.createToken(id)).jwt).toMatch(/^ey/);
    expect(await v3.groups.get(groupId)).toMatchObject({ name: 'default' });
    expect(await v3.databases.delete(id)).toEqual({ database: 'by-id' });
  });

  it('cannot reach the catalog', async () => {
    const { system } = local;
    const client = createClient({ org: 'system', token: system.token, baseUrl: `${system.apiUrl}/v1/` });
    await expect(client.databases.createToken('catalog')).rejects.toEqual(refused(404, 'organization not found'));
    await expect(local.api.databases.createToken('catalog')).rejects.toEqual(refused(404, /could not find/));
  });

  it('lists locations', async () => {
    expect(await local.api.locations.list()).toEqual([{ code: 'local', description: 'This machine' }]);
  });

  it('creates, validates, lists and revokes platform tokens', async () => {
    const { api, system } = local;
    const created = await api.apiTokens.create('ci');
    expect(created).toEqual({ name: 'ci', id: expect.any(String) as string, token: expect.any(String) as string });
    expect(await api.apiTokens.validate(created.token)).toMatchObject({ valid: true });
    expect(await api.apiTokens.list()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'local' }),
        expect.objectContaining({ name: 'ci', id: created.id }),
      ]),
    );
    await expect(api.apiTokens.create('ci')).rejects.toEqual(refused(409, /already exists/));
    const ci = createClient({ org: 'default', token: created.token, baseUrl: `${system.apiUrl}/v1/` });
    expect(await ci.groups.list()).toHaveLength(1);
    expect(await api.apiTokens.revoke('ci')).toEqual({ token: 'ci' });
    await expect(ci.groups.list()).rejects.toEqual(refused(401, 'the token has been revoked'));
    await expect(api.apiTokens.revoke('ci')).rejects.toEqual(refused(404, /could not find api token/));
    await expect(
      createClient({ org: 'default', token: 'x', baseUrl: `${system.apiUrl}/v1/` }).groups.list(),
    ).rejects.toEqual(refused(401, /not a platform token/));
  });
});
