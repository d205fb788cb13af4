/** Key sets outside the deployment: registered at the Platform API, believed by the data plane. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, type JWTPayload } from 'jose';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { eventually } from './support/platform-caller.js';

describe('key sets outside the deployment', () => {
  let local: LocalSystemForTests;
  let keyServer: Server;
  let url = '';
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const base = (): string => `/v2/organizations/${local.system.organization}`;

  beforeAll(async () => {
    keyServer = createServer((_request, response) => {
      response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] }));
    });
    keyServer.listen(0, '127.0.0.1');
    await once(keyServer, 'listening');
    const origin = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}`;
    url = `${origin}/jwks.json`;
    local = await startLocalSystemForTests({ environment: { TURSO_BYOC_JWKS_ORIGINS: origin } });
    await local.api.databases.create('one');
  });
  afterAll(async () => {
    await local.stop();
    keyServer.close();
  });

  const sign = async (claims: JWTPayload): Promise<string> =>
    new SignJWT({ exp: Math.floor(Date.now() / 1000) + 600, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey);
  const meet = async (name: string, jwt: string): Promise<string> =>
    local
      .open(name, jwt)
      .execute('SELECT 1')
      .then(
        () => 'works',
        (error: unknown) => (error as { code: string }).code,
      );
  /** As the CLI asks: a GET with a body. */
  const template = async (body: object): Promise<{ status: number; body: Record<string, any> }> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      const headers = { authorization: `Bearer ${local.system.token}`, 'content-length': text.length };
      const asked = request(`${local.system.apiUrl}${base()}/jwks-template`, { method: 'GET', headers }, (response) => {
        let answer = '';
        response.on('data', (chunk) => (answer += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(answer) as object }));
      });
      asked.on('error', reject);
      asked.end(text);
    });

  it('are registered, listed and forgotten, and their tokens follow', async () => {
    const claims = await template({
      database: 'one',
      group: null,
      scope: 'read-only',
      permissions: [{ t: null, a: ['data_read'] }],
    });
    expect(claims).toMatchObject({
      status: 200,
      body: { template: { a: 'ro', id: expect.any(String), p: [{ t: null, a: ['data_read'] }] } },
    });
    const jwt = await sign(claims.body['template'] as JWTPayload);
    expect(await meet('one', jwt)).toBe('AUTH_JWT_INVALID');
    const registered = await local.call('PUT', `${base()}/jwks/idp`, { jwks_url: url, region: 'local' });
    expect(registered).toMatchObject({ status: 200, body: { jwks_name: 'idp', jwks_url: url } });
    expect(await local.call('GET', `${base()}/jwks`)).toMatchObject({
      body: { jwks: [{ jwks_name: 'idp', jwks_url: url }] },
    });
    await eventually(
      async () => meet('one', jwt),
      (now) => now === 'works',
    );
    // A group that is made later belongs to it as well.
    await local.call('POST', '/v1/groups', { name: 'later' });
    await local.call('POST', '/v1/databases', { name: 'two', group: 'later' });
    const later = await sign((await template({ group: 'later' })).body['template'] as JWTPayload);
    await eventually(
      async () => meet('two', later),
      (now) => now === 'works',
    );
    expect(await meet('one', later)).toBe('AUTH_FORBIDDEN');
    expect(await local.call('DELETE', `${base()}/jwks/idp`, { region: 'local' })).toMatchObject({ status: 200 });
    await eventually(
      async () => meet('one', jwt),
      (now) => now === 'AUTH_JWT_INVALID',
    );
    expect(await local.call('DELETE', `${base()}/jwks/idp`)).toMatchObject({
      status: 404,
      body: { code: 'JWKS_NOT_FOUND' },
    });
  });

  it('are held to a form', async () => {
    for (const jwks_url of ['ftp://x/', 'nonsense', 'https://user:pw@x/', 'https://x/#a', '']) {
      expect(await local.call('PUT', `${base()}/jwks/idp`, { jwks_url })).toMatchObject({
        status: 400,
        body: { code: 'JWKS_INVALID' },
      });
    }
    expect(await local.call('PUT', `${base()}/jwks/%20`, { jwks_url: url })).toMatchObject({ status: 400 });
    expect(await template({})).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST' } });
    expect(await template({ database: 'one', permissions: [{ t: null, a: ['all'] }] })).toMatchObject({
      status: 400,
      body: { code: 'PERMISSIONS_INVALID' },
    });
    expect(await template({ database: 'none' })).toMatchObject({ status: 404 });
  });

  it('of one organization open nothing of another', async () => {
    const made = await local.call('POST', '/v1/organizations', { name: 'other' });
    const { slug } = (made.body as { org: { slug: string } }).org;
    await local.call('PUT', `/v2/organizations/${slug}/jwks/idp`, { jwks_url: url });
    const { body } = await template({ database: 'one' });
    expect(await meet('one', await sign(body['template'] as JWTPayload))).toBe('AUTH_JWT_INVALID');
    expect(await local.call('GET', `${base()}/jwks`)).toMatchObject({ body: { jwks: [] } });
  });
});
