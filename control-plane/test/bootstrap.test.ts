/** The first administrator: made once, by whoever holds the bootstrap token, and never again. */
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';

describe('bootstrap', () => {
  let api: ApiForTests;
  beforeEach(async () => {
    api = await startApiForTests({ withoutOperator: true });
  });
  afterEach(async () => api.close());

  const bootstrap = async (username: string) =>
    api.call('POST', '/v1/bootstrap', { username, email: `${username}@example.com` }, api.bootstrapToken);

  it('makes an operator who owns the first organization', async () => {
    const { status, body } = await bootstrap('ada');
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ username: 'ada', email: 'ada@example.com', operator: true });
    const token = body.token as string;
    expect(await api.call('GET', '/v1/users', undefined, token)).toMatchObject({ status: 200 });
    expect((await api.call('GET', '/v1/organizations/default/members', undefined, token)).body).toEqual({
      members: [{ username: 'ada', role: 'owner', email: 'ada@example.com' }],
    });
    await api.audit.settled();
    expect((await api.audit.page('', { offset: 0, limit: 10 })).entries).toMatchObject([
      { code: 'bootstrap', outcome: 'done', data: { username: 'ada' } },
    ]);
  });

  it('works once, also when many try at once', async () => {
    const answers = await Promise.all(['ada', 'bob', 'cid', 'dan'].map(bootstrap));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401]);
    expect(await bootstrap('eve')).toMatchObject({ status: 401, body: { code: 'BOOTSTRAP_REFUSED' } });
    const token = answers.find(({ status }) => status === 200)?.body.token as string;
    expect((await api.call('GET', '/v1/users', undefined, token)).body.users).toHaveLength(1);
  });
});
