/** People, roles and tokens: what each may do, and that it ends when it should. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { addUser, callWith, type Call } from './support/platform-caller.js';

describe('identity', () => {
  let local: LocalSystemForTests;
  let owner: Call;
  let directory: string;
  const bootstrapToken = randomBytes(32).toString('hex');
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'identity-'));
    await writeFile(join(directory, 'bootstrap'), bootstrapToken);
    local = await startLocalSystemForTests({
      environment: { TURSO_BYOC_BOOTSTRAP_TOKEN_FILE: join(directory, 'bootstrap') },
    });
    owner = callWith(local.system.apiUrl, local.system.token);
    await owner('POST', '/v1/groups', { name: 'team' });
    await owner('POST', '/v1/databases', { name: 'shared' });
    await owner('POST', '/v1/databases', { name: 'teams', group: 'team' });
  });
  afterAll(async () => {
    await local.stop();
    await rm(directory, { recursive: true });
  });

  const members = '/v1/organizations/default/members';
  const refusal = (code: string, status = 400) => ({ status, body: { code } });

  it('gives every role its rights and no more', async () => {
    const [admin, member, viewer, stranger] = await Promise.all([
      addUser(local, 'adam', { role: 'admin' }),
      addUser(local, 'mary', { role: 'member' }),
      addUser(local, 'vera', { role: 'viewer' }),
      addUser(local, 'stan'),
    ]);
    for (const { call } of [admin, member, viewer]) {
      expect(await call('GET', '/v1/databases/shared')).toMatchObject({ status: 200 });
      expect(await call('GET', members)).toMatchObject({ status: 200 });
    }
    expect(await viewer.call('POST', '/v1/databases', { name: 'no' })).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await viewer.call('POST', '/v1/databases/shared/auth/tokens')).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await member.call('POST', '/v1/databases', { name: 'marys' })).toMatchObject({ status: 200 });
    expect(await member.call('POST', '/v1/groups', { name: 'no' })).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await member.call('GET', '/v1/organizations/default/audit-logs')).toMatchObject(
      refusal('PERMISSION_DENIED'),
    );
    expect(await admin.call('GET', '/v1/organizations/default/audit-logs')).toMatchObject({ status: 200 });
    expect(await admin.call('DELETE', '/v1/organizations/default')).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await admin.call('GET', '/v1/users')).toMatchObject(refusal('OPERATOR_ONLY'));
    expect(await stranger.call('GET', '/v1/organizations/default/databases')).toMatchObject(
      refusal('ORGANIZATION_NOT_FOUND', 404),
    );
    expect(await stranger.call('GET', '/v1/databases')).toMatchObject(refusal('ORGANIZATION_NOT_FOUND', 404));
    expect(await stranger.call('GET', '/v1/organizations')).toMatchObject({ body: { organizations: [] } });
    expect(await stranger.call('GET', '/v1/current-user')).toMatchObject({ body: { user: { username: 'stan' } } });
  });

  it('changes roles, and keeps an owner', async () => {
    const { call } = await addUser(local, 'olga', { role: 'member' });
    expect(await owner('GET', `${members}/olga`)).toMatchObject({ body: { member: { role: 'member' } } });
    expect(await owner('PATCH', `${members}/olga`, { role: 'admin' })).toMatchObject({
      body: { member: { role: 'admin' } },
    });
    expect(await call('PATCH', `${members}/default`, { role: 'viewer' })).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await owner('PATCH', `${members}/olga`, { role: 'owner' })).toMatchObject(refusal('ROLE_INVALID'));
    expect(await owner('PATCH', `${members}/default`, { role: 'viewer' })).toMatchObject(refusal('LAST_OWNER'));
    expect(await owner('DELETE', `${members}/default`)).toMatchObject(refusal('LAST_OWNER'));
    expect(await owner('POST', members, { username: 'olga' })).toMatchObject(refusal('MEMBER_EXISTS', 409));
    expect(await owner('POST', members, { username: 'nobody' })).toMatchObject(refusal('USER_NOT_FOUND', 404));
    expect(await owner('PATCH', `${members}/nobody`, { role: 'admin' })).toMatchObject(
      refusal('MEMBER_NOT_FOUND', 404),
    );
    // Everybody may leave; and what was allowed a moment ago is not any more.
    expect(await call('DELETE', `${members}/olga`)).toMatchObject({ status: 200, body: { member: 'olga' } });
    expect(await call('GET', members)).toMatchObject({ status: 404 });
  });

  it('restricts tokens to an organization, and to scopes of one group', async () => {
    await owner('POST', '/v1/organizations', { name: 'other' });
    const mint = async (name: string, body: object): Promise<Call> => {
      const minted = await owner('POST', `/v1/auth/api-tokens/${name}`, body);
      expect(minted.status).toBe(200);
      return callWith(local.system.apiUrl, minted.body['token'] as string);
    };
    const ofOther = await mint('of-other', { organization: 'other' });
    expect(await ofOther('GET', '/v1/organizations/other/groups')).toMatchObject({ status: 200 });
    expect(await ofOther('GET', '/v1/groups')).toMatchObject({ body: { groups: [{ name: 'default' }] } });
    expect(await ofOther('GET', '/v1/organizations/default/groups')).toMatchObject({ status: 404 });
    expect(await ofOther('GET', '/v1/auth/api-tokens')).toMatchObject(refusal('USER_TOKEN_NEEDED'));
    expect(await ofOther('POST', '/v1/users', { username: 'x' })).toMatchObject(refusal('USER_TOKEN_NEEDED'));
    expect((await ofOther('GET', '/v1/organizations')).body['organizations']).toHaveLength(1);

    const reader = await mint('reader', { organization: 'default', group: 'team', scopes: ['read-only'] });
    expect((await reader('GET', '/v1/databases')).body['databases']).toMatchObject([{ Name: 'teams' }]);
    expect((await reader('GET', '/v1/databases?group=default')).body['databases']).toEqual([]);
    expect((await reader('GET', '/v1/groups')).body['groups']).toMatchObject([{ name: 'team' }]);
    expect(await reader('GET', '/v1/databases/shared')).toMatchObject(refusal('DATABASE_NOT_FOUND', 404));
    expect(await reader('GET', '/v1/groups/default')).toMatchObject(refusal('GROUP_NOT_FOUND', 404));
    expect(await reader('POST', '/v1/databases/teams/auth/tokens')).toMatchObject(refusal('PERMISSION_DENIED'));
    expect(await reader('GET', members)).toMatchObject(refusal('PERMISSION_DENIED'));

    const maker = await mint('maker', { organization: 'default', group: 'team', scopes: ['read', 'db:create'] });
    expect(await maker('POST', '/v1/databases', { name: 'made', group: 'team' })).toMatchObject({ status: 200 });
    expect(await maker('POST', '/v1/databases', { name: 'not-made' })).toMatchObject(refusal('GROUP_UNKNOWN'));
    const seed = { type: 'database', name: 'shared' };
    expect(await maker('POST', '/v1/databases', { name: 'stolen', group: 'team', seed })).toMatchObject(
      refusal('DATABASE_NOT_FOUND', 404),
    );
    expect(await maker('DELETE', '/v1/databases/made')).toMatchObject(refusal('PERMISSION_DENIED'));

    expect((await owner('GET', '/v1/organizations/default/api-tokens')).body['tokens']).toMatchObject([
      { name: 'reader', group: 'team', scopes: ['read'], owner: { username: 'default' } },
      { name: 'maker', scopes: ['read', 'db:create'] },
    ]);
    for (const [body, code, status] of [
      [{ organization: 'default', scopes: ['read'] }, 'SCOPES_INVALID', 400],
      [{ scopes: ['read'] }, 'SCOPES_INVALID', 400],
      [{ organization: 'default', group: 'team' }, 'SCOPES_INVALID', 400],
      [{ organization: 'default', group: 'team', scopes: ['root'] }, 'SCOPES_INVALID', 400],
      [{ organization: 'default', group: 'none', scopes: ['read'] }, 'GROUP_NOT_FOUND', 404],
      [{ organization: 'none' }, 'ORGANIZATION_NOT_FOUND', 404],
    ] as const) {
      expect(await owner('POST', '/v1/auth/api-tokens/refused', body)).toMatchObject(refusal(code, status));
    }

    const { body } = await owner('GET', '/v1/organizations/default/api-tokens');
    const { id } = (body['tokens'] as { id: string }[])[0]!;
    expect(await owner('DELETE', `/v1/organizations/default/api-tokens/${id}`)).toMatchObject({ body: { token: id } });
    expect(await reader('GET', '/v1/groups')).toMatchObject(refusal('AUTH_TOKEN_REVOKED', 401));
    // A group takes its tokens with it.
    await owner('DELETE', '/v1/groups/team');
    expect(await maker('GET', '/v1/groups')).toMatchObject(refusal('AUTH_TOKEN_REVOKED', 401));
  });

  it('revokes all tokens of a user, and nobody else’s', async () => {
    const { call, token } = await addUser(local, 'tina', { role: 'viewer' });
    const second = await call('POST', '/v1/auth/api-tokens/second');
    expect(await call('POST', '/v1/auth/api-tokens/second')).toMatchObject(refusal('API_TOKEN_EXISTS', 409));
    expect(await owner('POST', '/v1/auth/api-tokens/second')).toMatchObject({ status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const answer = await call('POST', '/v1/auth/invalidate');
    expect(answer).toMatchObject({ status: 200, body: { ValidFrom: expect.any(Number) as number } });
    for (const each of [token, second.body['token'] as string]) {
      expect(await callWith(local.system.apiUrl, each)('GET', '/v1/auth/validate')).toMatchObject({ status: 401 });
    }
    expect(await owner('GET', '/v1/auth/validate')).toMatchObject({ status: 200 });
  });

  it('invites people', async () => {
    const { call } = await addUser(local, 'irma');
    const invites = '/v2/organizations/default/invites';
    const invited = await owner('POST', invites, { email: 'IRMA@example.com', role: 'viewer' });
    expect(invited).toMatchObject({
      status: 200,
      body: { invited: { email: 'irma@example.com', role: 'viewer', organization: 'default' } },
    });
    expect(await call('GET', '/v1/user')).toMatchObject({ body: { user: { has_pending_invites: true } } });
    expect((await owner('GET', invites)).body['invites']).toMatchObject([
      { email: 'irma@example.com', accepted: false },
    ]);
    const { token } = invited.body['invited'] as { token: string };
    expect(await call('POST', '/v1/invites/accept', { token: `${token}x` })).toMatchObject(
      refusal('INVITE_NOT_FOUND', 404),
    );
    expect(await call('POST', '/v1/invites/accept', { token })).toMatchObject({ body: { organization: 'default' } });
    expect(await call('GET', '/v1/databases')).toMatchObject({ status: 200 });
    expect(await call('POST', '/v1/invites/accept', { token })).toMatchObject(refusal('INVITE_NOT_FOUND', 404));
    await owner('POST', '/v1/organizations/default/invite', { email: 'late@example.com', role: 'member' });
    expect(await owner('DELETE', `${invites}/late@example.com`)).toMatchObject({ status: 200, body: {} });
    expect(await owner('DELETE', `${invites}/late@example.com`)).toMatchObject(refusal('INVITE_NOT_FOUND', 404));
    expect(await owner('POST', invites, { role: 'member' })).toMatchObject(refusal('MALFORMED_REQUEST'));
    expect(await owner('POST', invites, { email: 'a@b', role: 'owner' })).toMatchObject(refusal('ROLE_INVALID'));
  });

  it('bootstraps nobody where there is an administrator', async () => {
    const bootstrap = callWith(local.system.apiUrl, bootstrapToken);
    const body = { username: 'first' };
    expect(await bootstrap('POST', '/v1/bootstrap', body)).toMatchObject(refusal('BOOTSTRAP_REFUSED', 401));
    for (const token of [undefined, 'x', `${bootstrapToken}x`]) {
      const call = callWith(local.system.apiUrl, token);
      expect(await call('POST', '/v1/bootstrap', body)).toMatchObject(refusal('BOOTSTRAP_REFUSED', 401));
    }
  });

  it('moves a group with its databases to another organization, under the same addresses', async () => {
    await owner('POST', '/v1/organizations', { name: 'target' });
    await owner('POST', '/v1/groups', { name: 'moving' });
    const created = await owner('POST', '/v1/databases', { name: 'cargo', group: 'moving' });
    const { jwt } = (await owner('POST', '/v1/databases/cargo/auth/tokens')).body as { jwt: string };
    await local.open('cargo', jwt).execute('CREATE TABLE t (v)');
    expect(await owner('POST', '/v1/groups/moving/transfer', { organization: 'none' })).toMatchObject({ status: 404 });
    expect(await owner('POST', '/v1/groups/moving/transfer', { organization: 'target' })).toMatchObject({
      status: 200,
      body: { name: 'moving' },
    });
    expect(await owner('GET', '/v1/databases/cargo')).toMatchObject({ status: 404 });
    const moved = await owner('GET', '/v1/organizations/target/databases/cargo');
    expect(moved.body['database']).toMatchObject({
      Hostname: (created.body['database'] as { Hostname: string }).Hostname,
    });
    await local.open('cargo', jwt).execute('INSERT INTO t VALUES (1)');
    // Its old address is taken as long as it is there.
    expect(await owner('POST', '/v1/databases', { name: 'cargo' })).toMatchObject(refusal('DATABASE_EXISTS', 409));
    expect(await owner('DELETE', '/v1/organizations/target')).toMatchObject(refusal('ORGANIZATION_NOT_EMPTY'));
    expect(await owner('DELETE', '/v1/organizations/target/databases/cargo')).toMatchObject({ status: 200 });
    expect(await owner('DELETE', '/v1/organizations/target')).toEqual(
      expect.objectContaining({ status: 200, body: {} }),
    );
    expect(await owner('GET', '/v1/organizations/target')).toMatchObject({ status: 404 });
    expect(await owner('POST', '/v1/databases', { name: 'cargo' })).toMatchObject({ status: 200 });
  });
});
