/** Names of organizations: whose they are, and what nobody gets by taking one. */
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';

describe('an organization', () => {
  let api: ApiForTests;
  beforeEach(async () => {
    api = await startApiForTests();
  });
  afterEach(async () => api.close());

  const taken = { status: 409, body: { code: 'ORGANIZATION_EXISTS' } };
  const databases = async (path: string, token: string) =>
    ((await api.call('GET', path, undefined, token)).body.databases as { Name: string }[]).map(({ Name }) => Name);

  it('with the name of a user is created by nobody else', async () => {
    const alice = await api.addUser('alice');
    const mallory = await api.addUser('mallory');
    for (const query of ['?dry_run=true', '']) {
      expect(await api.call('POST', `/v1/organizations${query}`, { name: 'A-lice' }, mallory)).toMatchObject(taken);
      expect(await api.call('POST', `/v1/organizations${query}`, { name: 'alice' }, alice)).toMatchObject({
        status: 200,
      });
    }
  });

  it('that another one owns does not become home by its name', async () => {
    const mallory = await api.addUser('mallory');
    await api.call('POST', '/v1/organizations', { name: 'alice' }, mallory);
    await api.call('POST', '/v1/organizations/alice/databases', { name: 'trap' }, mallory);
    const alice = await api.addUser('alice', 'member');
    await api.call('POST', '/v1/databases', { name: 'hers' }, alice);
    const members = '/v1/organizations/alice/members';
    expect(await api.call('POST', members, { username: 'alice', role: 'admin' }, mallory)).toMatchObject({
      status: 200,
    });
    expect(await databases('/v1/databases', alice)).toEqual(['hers']);
    expect(await databases('/v1/organizations/alice/databases', alice)).toEqual(['trap']);
    const minted = await api.call('POST', '/v1/auth/api-tokens/ci', { group: 'default', scopes: ['read'] }, alice);
    expect(await databases('/v1/databases', minted.body.token as string)).toEqual(['hers']);
  });

  it('is home to the owner that it is named like', async () => {
    const alice = await api.addUser('alice', 'member');
    await api.call('POST', '/v1/organizations', { name: 'alice' }, alice);
    await api.call('POST', '/v1/databases', { name: 'own' }, alice);
    expect(await databases('/v1/organizations/alice/databases', alice)).toEqual(['own']);
  });

  it('leaves its name to nobody when it is deleted, nor what lies under it', async () => {
    const acme = '/v1/organizations/acme';
    await api.call('POST', '/v1/organizations', { name: 'acme' });
    await api.call('POST', `${acme}/databases`, { name: 'secret' });
    await api.call('DELETE', `${acme}/databases/secret`);
    expect(await api.call('DELETE', acme)).toMatchObject({ status: 200 });
    for (const who of [await api.addUser('mallory'), api.token]) {
      for (const query of ['?dry_run=true', '']) {
        expect(await api.call('POST', `/v1/organizations${query}`, { name: 'Acme' }, who)).toMatchObject(taken);
      }
      expect(await api.call('GET', `${acme}/audit-logs`, undefined, who)).toMatchObject({ status: 404 });
      expect(await api.call('GET', `${acme}/deleted-databases`, undefined, who)).toMatchObject({ status: 404 });
    }
  });

  it('that a catalog has lost, and the audit log knows, leaves its name to nobody', async () => {
    await api.call('POST', '/v1/organizations', { name: 'acme' });
    await api.call('POST', '/v1/organizations/acme/groups', { name: 'team' });
    await api.audit.settled();
    await api.catalog.write([
      "DELETE FROM groups WHERE organization = 'acme'",
      "DELETE FROM members WHERE organization = 'acme'",
      "DELETE FROM organizations WHERE slug = 'acme'",
    ]);
    expect(await api.call('POST', '/v1/organizations', { name: 'acme' })).toMatchObject(taken);
  });
});
