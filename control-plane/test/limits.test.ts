/** Quotas and request rates, as the operator sets them. */
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { ManualClock } from './support/manual-clock.js';

describe('limits', () => {
  let api: ApiForTests;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock(Date.now());
    api = await startApiForTests({ clock });
  });
  afterEach(async () => api.close());

  const set = async (scope: string, subject: string, limits: object) =>
    api.call('PUT', `/v1/limits/${scope}/${subject}`, limits);
  const create = async (name: string, group?: string) =>
    (await api.call('POST', '/v1/databases', { name, group })).status;

  it('of databases hold for an organization and a group, exactly, also for those who ask at once', async () => {
    const team = (await api.call('POST', '/v1/groups', { name: 'team' })).body.group as { uuid: string };
    expect(await set('organization', 'default', { databases: 5 })).toMatchObject({
      status: 200,
      body: { scope: 'organization', subject: 'default', limits: { databases: 5 } },
    });
    await set('group', team.uuid, { databases: 2 });
    const statuses = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => create(name, 'team')));
    expect(statuses.sort()).toEqual([200, 200, 402, 402]);
    expect((await Promise.all(['e', 'f', 'g', 'h', 'i'].map(async (name) => create(name)))).sort()).toEqual([
      200, 200, 200, 402, 402,
    ]);
    const left = (await api.call('GET', '/v1/databases?group=team')).body.databases as { Name: string }[];
    await api.call('DELETE', `/v1/databases/${left[0]!.Name}`);
    expect(await create('again', 'team')).toBe(200);
    expect(await api.call('POST', '/v1/databases', { name: 'more' })).toMatchObject({
      body: { code: 'QUOTA_EXCEEDED' },
    });
    await set('organization', 'default', { databases: null });
    expect(await create('more')).toBe(200);
  });

  it('of groups and members hold', async () => {
    await set('organization', 'default', { groups: 2, members: 1 });
    expect((await api.call('POST', '/v1/groups', { name: 'second' })).status).toBe(200);
    expect(await api.call('POST', '/v1/groups', { name: 'third' })).toMatchObject({
      status: 402,
      body: { code: 'QUOTA_EXCEEDED', error: 'the organization may have 2 groups' },
    });
    await api.call('POST', '/v1/users', { username: 'ada' });
    const members = '/v1/organizations/default/members';
    expect((await api.call('POST', members, { username: 'ada' })).status).toBe(402);
  });

  it('of requests hold for a token, and are over with time', async () => {
    const minted = await api.call('POST', '/v1/auth/api-tokens/busy');
    const { id, token } = minted.body as { id: string; token: string };
    await set('token', id, { requests_per_minute: 3 });
    const statuses = [];
    for (let number = 0; number < 5; number += 1)
      statuses.push((await api.call('GET', '/v1/groups', undefined, token)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const refused = await api.call('GET', '/v1/groups', undefined, token);
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(Number(refused.headers['retry-after'])).toBe(20);
    expect((await api.call('GET', '/v1/groups')).status).toBe(200);
    clock.nowMs += 20_000;
    expect((await api.call('GET', '/v1/groups', undefined, token)).status).toBe(200);
  });

  it('of requests hold for an organization and a group', async () => {
    const viewer = await api.addUser('vera', 'viewer');
    const team = (await api.call('POST', '/v1/groups', { name: 'team' })).body.group as { uuid: string };
    await set('group', team.uuid, { requests_per_minute: 0 });
    expect((await api.call('GET', '/v1/groups/team', undefined, viewer)).status).toBe(429);
    expect((await api.call('GET', '/v1/groups/default', undefined, viewer)).status).toBe(200);
    await set('organization', 'default', { requests_per_minute: 1 });
    const both = [await api.call('GET', '/v1/groups', undefined, viewer), await api.call('GET', '/v1/groups')];
    expect(both.map(({ status }) => status)).toEqual([200, 429]);
    // Who set the limit can lift it.
    expect((await set('organization', 'default', { requests_per_minute: null })).status).toBe(200);
    expect((await api.call('GET', '/v1/groups')).status).toBe(200);
  });

  it('are listed, and refused where they mean nothing', async () => {
    await set('token', 'some-token', { requests_per_minute: 7 });
    expect((await api.call('GET', '/v1/limits')).body).toEqual({
      limits: [{ scope: 'token', subject: 'some-token', limits: { requests_per_minute: 7 } }],
    });
    expect(await set('token', 'some-token', { databases: 7 })).toMatchObject({ body: { code: 'LIMIT_INVALID' } });
    expect(await set('planet', 'earth', { databases: 7 })).toMatchObject({ body: { code: 'LIMIT_INVALID' } });
    expect(await set('group', 'g', { databases: -1 })).toMatchObject({ body: { code: 'MALFORMED_REQUEST' } });
  });
});
