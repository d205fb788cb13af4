/** What the SDK does not show: both address forms, the shapes that the CLI reads, pages, and error bodies. */
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('the Platform API over HTTP', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  it('serves every call with and without the organization in its path', async () => {
    for (const path of ['/databases', '/groups', '/groups/default', '/invoices', '/members']) {
      const long = await local.call('GET', `/v1/organizations/default${path}`);
      expect(long.status).toBe(200);
      if (path !== '/invoices' && path !== '/members') expect(await local.call('GET', `/v1${path}`)).toEqual(long);
    }
    expect(await local.call('GET', '/v2/locations')).toEqual(
      await local.call('GET', '/v2/organizations/default/locations'),
    );
  });

  it('answers an address that cannot be read with an error of the catalogue', async () => {
    const answer = await local.call('GET', '/v1/%zz');
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'MALFORMED_REQUEST', remedy: expect.any(String) as string },
    });
  });

  it('answers in the shapes that the CLI reads', async () => {
    expect(await local.call('GET', '/v1/auth/validate')).toEqual({ status: 200, body: { exp: -1 } });
    expect(await local.call('GET', '/v1/current-user')).toMatchObject({ body: { user: { username: 'default' } } });
    expect(await local.call('GET', '/v1/user')).toMatchObject({ body: { user: { username: 'default' } } });
    expect(await local.call('GET', '/v2/organizations')).toMatchObject({
      body: { organizations: [{ slug: 'default', type: 'personal' }] },
    });
    expect(await local.call('GET', '/v2/locations')).toMatchObject({
      body: { locations: { local: { local: 'This machine' } } },
    });
    expect(await local.call('GET', '/releases/latest')).toEqual({ status: 200, body: { latest: 'v0.0.0' } });
    const minted = await local.call('POST', '/v2/auth/api-tokens/cli');
    expect(minted.body).toEqual({
      token: { name: 'cli', id: expect.any(String) as string, value: expect.any(String) as string },
    });
    expect(await local.call('POST', '/v1/groups', { Name: 'cli', Location: 'local', Version: 'latest' })).toMatchObject(
      {
        status: 200,
        body: { group: { name: 'cli' } },
      },
    );
    expect(await local.call('GET', '/v1/groups/cli/locations/local/wait')).toEqual({ status: 200, body: {} });
  });

  it('pages through a list', async () => {
    await local.call('POST', '/v1/groups', { name: 'paged' });
    for (const name of ['p-1', 'p-2', 'p-3', 'p-4', 'p-5']) {
      expect(await local.call('POST', '/v1/databases', { name, group: 'paged' })).toMatchObject({ status: 200 });
    }
    const pages: string[][] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query = `group=paged&limit=2&cursor=${cursor}`;
      const { body } = await local.call('GET', `/v1/databases?${query}`);
      pages.push((body['databases'] as { Name: string }[]).map((database) => database.Name));
      cursor = (body['pagination'] as { next: string | null }).next;
    }
    expect(pages).toEqual([['p-1', 'p-2'], ['p-3', 'p-4'], ['p-5']]);
    expect((await local.call('GET', '/v1/databases?group=paged')).body).toMatchObject({ pagination: { next: null } });
    expect((await local.call('GET', '/v1/databases?parent=x')).body).toMatchObject({ databases: [] });
  });

  it.each([
    ['GET', '/v1/databases?limit=none', undefined, 400, 'MALFORMED_REQUEST'],
    ['GET', '/v1/databases?limit=0', undefined, 400, 'MALFORMED_REQUEST'],
    ['GET', '/v1/databases?colour=red', undefined, 400, 'MALFORMED_REQUEST'],
    ['GET', '/v1/databases?cursor=x', undefined, 400, 'INVALID_CURSOR'],
    ['POST', '/v1/databases', {}, 400, 'MALFORMED_REQUEST'],
    ['POST', '/v1/databases', { name: 7 }, 400, 'MALFORMED_REQUEST'],
    ['POST', '/v1/databases', { name: 'x', colour: 'red' }, 400, 'MALFORMED_REQUEST'],
    ['POST', '/v1/databases', [], 400, 'MALFORMED_REQUEST'],
    ['POST', '/v1/auth/api-tokens/scoped', { group: 'default', scopes: ['all'] }, 400, 'SCOPES_INVALID'],
    ['GET', '/v1/databases/none/configuration', undefined, 404, 'DATABASE_NOT_FOUND'],
    ['POST', '/v1/databases/dumps', undefined, 400, 'MALFORMED_REQUEST'],
    ['POST', '/v1/databases/none/seed', undefined, 501, 'NOT_OFFERED'],
    ['GET', '/v1/nothing', undefined, 404, 'ROUTE_NOT_FOUND'],
    ['GET', '/v1/organizations/other/databases', undefined, 404, 'ORGANIZATION_NOT_FOUND'],
  ])('%s %s %j is refused with %d %s', async (method, path, body, status, code) => {
    const answer = await local.call(method, path, body);
    expect(answer).toEqual({
      status,
      body: {
        error: expect.any(String) as string,
        message: answer.body['error'],
        code,
        remedy: expect.any(String) as string,
      },
    });
  });

  it('asks for a token on every call but two', async () => {
    const status = async (path: string): Promise<number> => (await fetch(`${local.system.apiUrl}${path}`)).status;
    expect(await status('/health')).toBe(200);
    expect(await status('/releases/latest')).toBe(200);
    for (const path of ['/v1/databases', '/v1/auth/validate', '/v1/locations', '/v2/organizations', '/v1/usage']) {
      expect(await status(path)).toBe(401);
    }
  });

  it('takes a body of any content type and refuses one that is too large', async () => {
    const post = async (contentType: string, body: string): Promise<number> =>
      (
        await fetch(`${local.system.apiUrl}/v1/databases`, {
          method: 'POST',
          headers: { authorization: `Bearer ${local.system.token}`, 'content-type': contentType },
          body,
        })
      ).status;
    expect(await post('text/plain;charset=UTF-8', '{"name":"plain"}')).toBe(200);
    expect(await post('application/x-www-form-urlencoded', '{"name":"plain"}')).toBe(409);
    expect(await post('application/json', 'name=plain')).toBe(400);
    expect(await post('application/json', JSON.stringify({ name: 'x'.repeat(2_000_000) }))).toBe(413);
  });
});
