import { createClient } from '@libsql/client/http';
import { connect } from '@tursodatabase/serverless';
import { startDataServer, shop, wiki, type RunningDataServer } from '../../test/support/data-server-fixture.js';
import { RawConnection, rawRequest } from '../../test/support/raw-connection.js';
import { tokenIssuer } from '../../test/support/token-issuer.js';
import { ByocError } from '../errors/catalogue.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../object-store/object-store.js';

let server: RunningDataServer;
beforeEach(async () => {
  server = await startDataServer();
});
afterEach(async () => {
  await server.app.close();
});

async function post(path: string, authorization?: string, body: string | Buffer = '{}') {
  return fetch(server.url + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: authorization === undefined ? {} : { authorization },
  });
}

async function expectError(response: Response, status: number, code: string) {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}$/);
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toEqual({
    code,
    error: expect.any(String) as unknown,
    message: body['error'],
    remedy: expect.any(String) as unknown,
  });
  return body['message'] as string;
}

describe('SQL routes', () => {
  it.each([
    ['/v2/pipeline', 'v2-pipeline'],
    ['/v3/pipeline', 'v3-pipeline'],
    ['/v3/cursor', 'v3-cursor'],
  ])('%s hands the body to the database, unparsed, and its answer back', async (path, kind) => {
    const answer = Buffer.from('{"results":[]}');
    server.databases.run = async () => ({ status: 200, body: answer });
    const sent = Buffer.from([0, 255, 1, 254]);
    const response = await post(`/db/shop-acme${path}`, `Bearer ${await server.token()}`, sent);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('x-request-id')).toBeNull();
    expect(Buffer.from(await response.arrayBuffer())).toEqual(answer);
    expect(server.databases.requests).toEqual([
      {
        id: shop.id,
        request: {
          kind,
          readOnly: false,
          body: sent,
          signal: expect.any(AbortSignal) as unknown,
          admission: {
            label: 'shop-acme',
            authorization: expect.stringMatching(/^Bearer /) as unknown,
            client: expect.any(Function) as unknown,
          },
          isForwarded: false,
        },
      },
    ]);
  });

  it('hands over what came of a key that the client holds, on the fast lane and off it', async () => {
    const authorization = `Bearer ${await server.token()}`;
    const sent = { 'x-turso-encryption-key': 'AAAA', 'x-turso-encryption-cipher': 'aegis256' };
    const clientKey = { key: 'AAAA', cipher: 'aegis256' };
    // A query makes a request one for Node's parser.
    for (const path of ['/db/shop-acme/v3/pipeline', '/db/shop-acme/v3/pipeline?off=lane']) {
      for (const headers of [sent, { 'x-turso-encryption-key': '' }, {}]) {
        await fetch(server.url + path, { method: 'POST', body: '{}', headers: { authorization, ...headers } });
      }
    }
    const handed = [clientKey, { key: '' }, undefined];
    expect(server.databases.requests.map(({ request }) => request.clientKey)).toEqual([...handed, ...handed]);
    expect(JSON.stringify(server.logLines)).not.toContain('AAAA');
  });

  it('passes on that the token may only read', async () => {
    await post('/db/shop-acme/v2/pipeline', `Bearer ${await server.token({ id: shop.id, a: 'ro' })}`);
    expect(server.databases.requests[0]?.request.readOnly).toBe(true);
  });

  it('passes errors of the database on as they are, with a request id', async () => {
    server.databases.run = async () => ({ status: 404, body: Buffer.from('{"code":"STREAM_EXPIRED"}') });
    const response = await post('/db/shop-acme/v3/pipeline', `Bearer ${await server.token()}`);
    expect(response.status).toBe(404);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{16}$/);
    expect(await response.text()).toBe('{"code":"STREAM_EXPIRED"}');
  });

  it('answers what the database throws, and tells nothing of what it did not expect', async () => {
    const authorization = `Bearer ${await server.token()}`;
    server.databases.run = async () => {
      throw new ByocError('OVERLOADED', 'too many requests');
    };
    expect(await expectError(await post('/db/shop-acme/v2/pipeline', authorization), 503, 'OVERLOADED')).toBe(
      'too many requests',
    );
    server.databases.run = async () => {
      throw new StoreUnavailableError('bucket secret-bucket');
    };
    await expectError(await post('/db/shop-acme/v2/pipeline', authorization), 503, 'STORE_UNAVAILABLE');
    server.databases.run = async () => {
      throw new OutcomeUnknownError('bucket secret-bucket');
    };
    await expectError(await post('/db/shop-acme/v2/pipeline', authorization), 503, 'OUTCOME_UNKNOWN');
    server.databases.run = async () => {
      throw new Error('secret detail');
    };
    const response = await post('/db/shop-acme/v2/pipeline', authorization);
    const requestId = response.headers.get('x-request-id');
    expect(await expectError(response, 500, 'INTERNAL')).not.toContain('secret');
    const logged = server.logLines.find((line) => line['requestId'] === requestId);
    expect(JSON.stringify(logged)).toContain('secret detail');
    expect(logged).toMatchObject({ level: 50, path: '/v2/pipeline', label: 'shop-acme' });
  });

  it.each([
    'text/plain',
    'application/json; charset=utf-16',
    'not a media type',
    'application/x-www-form-urlencoded',
    '',
  ])('takes a body of content type %j', async (type) => {
    const connection = await RawConnection.open(server.port);
    const headers = [
      'host: shop-acme.example',
      `content-type: ${type}`,
      `authorization: Bearer ${await server.token()}`,
    ];
    connection.send(rawRequest('POST /v2/pipeline HTTP/1.1', headers, '{"a":'));
    expect((await connection.response()).status).toBe(200);
    expect(server.databases.requests[0]?.request.body.toString()).toBe('{"a":');
    connection.destroy();
  });

  it('takes an empty body and one in chunks', async () => {
    const connection = await RawConnection.open(server.port);
    const head = `POST /db/shop-acme/v2/pipeline HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${await server.token()}\r\n`;
    connection.send(`${head}\r\n`);
    expect((await connection.response()).status).toBe(200);
    connection.send(`${head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    connection.send('2\r\nde\r\n0\r\n\r\n');
    expect((await connection.response()).status).toBe(200);
    expect(server.databases.requests.map(({ request }) => request.body.toString())).toEqual(['', 'abcde']);
    connection.destroy();
  });
});

describe('addresses', () => {
  it.each([
    ['host', '/v2/pipeline', 'shop-acme.db.example.com:8080'],
    ['absolute form', 'http://shop-acme.example/v2/pipeline', 'wiki-acme.example'],
    ['path prefix', '/db/shop-acme/v2/pipeline', 'wiki-acme.example'],
    ['slashes and a query', '//db/shop-acme//v2/pipeline/?authToken=1&x', 'whatever'],
  ])('reach the database by %s', async (_what, target, host) => {
    const connection = await RawConnection.open(server.port);
    const authorization = `authorization: Bearer ${await server.token()}`;
    connection.send(rawRequest(`POST ${target} HTTP/1.1`, [`host: ${host}`, authorization], '{}'));
    expect((await connection.response()).status).toBe(200);
    expect(server.databases.requests[0]?.id).toBe(shop.id);
    connection.destroy();
  });

  it.each([
    ['a host that names none', ['host: 127.0.0.1']],
    ['no host', []],
    ['an empty host', ['host:']],
    ['only a forwarded host', ['host: localhost', 'x-forwarded-host: shop-acme.example']],
    ['a host of odd characters', ['host: "><script>.example']],
  ])('are missed with %s', async (_what, headers) => {
    const connection = await RawConnection.open(server.port);
    const authorization = `authorization: Bearer ${await server.token()}`;
    connection.send(rawRequest('POST /v2/pipeline HTTP/1.1', [...headers, authorization], '{}'));
    const response = await connection.response();
    expect([response.status, response.headers['content-type']]).toEqual([404, 'application/json']);
    expect(JSON.parse(response.body)).toMatchObject({ code: 'DATABASE_ADDRESS_MISSING' });
    connection.destroy();
  });
});

describe('credentials', () => {
  const path = '/db/shop-acme/v2/pipeline';

  it.each<[string, string | undefined, string]>([
    ['no header', undefined, 'AUTH_HTTP_HEADER_MISSING'],
    ['another scheme', 'Basic dXNlcjpwdw==', 'AUTH_HTTP_HEADER_INVALID'],
    ['no token', 'Bearer', 'AUTH_HTTP_HEADER_INVALID'],
    ['garbage', 'Bearer garbage', 'AUTH_JWT_INVALID'],
  ])('%s is refused alike for a database and for none', async (_what, authorization, code) => {
    const messages = [];
    for (const target of [path, '/db/nothing-here/v2/pipeline', '/v2/pipeline']) {
      messages.push(await expectError(await post(target, authorization), 401, code));
    }
    expect(new Set(messages).size).toBe(1);
    expect(server.databases.requests).toEqual([]);
    expect((await server.metrics.expose()).text).toContain(`turso_byoc_auth_failures_total{code="${code}"} 3`);
  });

  it('are refused when expired, of a foreign signer, or under another algorithm', async () => {
    const expired = await server.token({ id: shop.id, exp: 1 });
    await expectError(await post(path, `Bearer ${expired}`), 401, 'AUTH_JWT_EXPIRED');
    const foreign = await tokenIssuer('key-1').sign({ id: shop.id });
    await expectError(await post(path, `Bearer ${foreign}`), 401, 'AUTH_JWT_INVALID');
    const [, payload, signature] = (await server.token()).split('.');
    const header = Buffer.from('{"alg":"HS256","kid":"key-1"}').toString('base64url');
    await expectError(await post(path, `Bearer ${header}.${payload}.${signature}`), 401, 'AUTH_JWT_INVALID');
  });

  it('open a database by its group', async () => {
    const response = await post('/db/wiki-acme/v2/pipeline', `bearer ${await server.token({ gid: wiki.group.id })}`);
    expect(response.status).toBe(200);
    expect(server.databases.requests[0]?.id).toBe(wiki.id);
  });

  it.each<[string, object]>([
    ['a database', { id: shop.id }],
    ['a group', { gid: shop.group.id }],
  ])('for %s tell nothing of other databases', async (_what, claims) => {
    const authorization = `Bearer ${await server.token({ ...claims })}`;
    const existing = await expectError(await post('/db/wiki-acme/v2/pipeline', authorization), 401, 'AUTH_FORBIDDEN');
    const unknown = await expectError(await post('/db/none-acme/v2/pipeline', authorization), 401, 'AUTH_FORBIDDEN');
    expect(unknown).toBe(existing);
  });

  it('whose own database is gone get 404, whatever they ask for', async () => {
    const authorization = `Bearer ${await server.token()}`;
    await server.databases.delete(shop.id);
    await expectError(await post(path, authorization), 404, 'DATABASE_NOT_FOUND');
    await expectError(await post('/db/wiki-acme/v2/pipeline', authorization), 404, 'DATABASE_NOT_FOUND');
  });

  it('of a deleted database do not open another one of the same name', async () => {
    const authorization = `Bearer ${await server.token()}`;
    server.databases.list = [{ ...wiki, name: shop.name, organization: shop.organization }];
    await expectError(await post(path, authorization), 404, 'DATABASE_NOT_FOUND');
  });

  it('never reach the log', async () => {
    const token = await server.token({ id: shop.id, exp: 1 });
    await post(`${path}?authToken=${token}`, `Bearer ${token}`);
    expect(server.logLines.length).toBeGreaterThan(0);
    expect(JSON.stringify(server.logLines)).not.toContain(token.split('.')[2]);
  });
});

describe('other routes', () => {
  it.each(['/v2', '/v3', '/v3/', '/db/shop-acme/v2', '/db/shop-acme/v3'])('GET %s probes the version', async (path) => {
    const response = await fetch(server.url + path);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('tell that the process lives, which version it is, and whether it wants requests', async () => {
    await server.app.close();
    let ready = false;
    server = await startDataServer({ notReadyBecause: () => (ready ? undefined : 'it naps') });
    const health = await fetch(`${server.url}/health`);
    expect([health.status, health.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await (await fetch(`${server.url}/version`)).text()).toBe('test 1.2.3');
    await expectError(await fetch(`${server.url}/ready`), 503, 'NOT_READY');
    ready = true;
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect((await fetch(`${server.url}/ready`, { method: 'HEAD' })).status).toBe(200);
  });

  it.each([
    ['GET', '/'],
    ['POST', '/'],
    ['GET', '/db/shop-acme'],
    ['POST', '/db/shop-acme/db/wiki-acme/v2/pipeline'],
    ['PATCH', '/nothing'],
    ['GET', '/admin/v1/metrics'],
  ])('%s %s is not found', async (method, path) => {
    await expectError(await fetch(server.url + path, { method }), 404, 'ROUTE_NOT_FOUND');
  });

  it('are not found either with a body that claims to be JSON and is not', async () => {
    const init = { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } };
    await expectError(await fetch(`${server.url}/nothing`, init), 404, 'ROUTE_NOT_FOUND');
  });

  it.each([
    ['GET', '/v2/pipeline', 'POST, OPTIONS'],
    ['PUT', '/db/shop-acme/v3/cursor', 'POST, OPTIONS'],
    ['POST', '/health', 'GET, HEAD, OPTIONS'],
  ])('%s %s names the methods there are', async (method, path, allow) => {
    const response = await fetch(server.url + path, { method });
    expect(response.headers.get('allow')).toBe(allow);
    await expectError(response, 405, 'METHOD_NOT_ALLOWED');
  });

  it('refuses a path that is no path', async () => {
    await expectError(await fetch(`${server.url}/%`), 400, 'MALFORMED_REQUEST');
    await expectError(await fetch(`${server.url}/db/shop-acme/%E0%A4%A`), 400, 'MALFORMED_REQUEST');
  });

  it.each<[string, string[], number]>([
    ['a WebSocket without a key', ['upgrade: websocket', 'sec-websocket-version: 13'], 400],
    ['a WebSocket at a path where none is', ['upgrade: websocket', 'sec-websocket-version: 13'], 404],
  ])('refuses %s, in JSON', async (_what, headers, status) => {
    const connection = await RawConnection.open(server.port);
    const path = status === 404 ? '/nowhere' : '/';
    connection.send(rawRequest(`GET ${path} HTTP/1.1`, ['host: shop-acme.example', 'connection: upgrade', ...headers]));
    const response = await connection.response();
    expect(response.status).toBe(status);
    expect(JSON.parse(response.body)).toMatchObject({ code: status === 404 ? 'ROUTE_NOT_FOUND' : 'MALFORMED_REQUEST' });
    connection.destroy();
  });

  it('answers a request that offers another protocol as if it had not, its body included', async () => {
    const connection = await RawConnection.open(server.port);
    const offer = ['connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAARAAAAAAAIAAAAA'];
    connection.send(rawRequest('GET /health HTTP/1.1', ['host: a.example', ...offer]));
    expect((await connection.response()).status).toBe(200);
    connection.send(rawRequest('GET /version HTTP/1.1', ['host: a.example']));
    expect((await connection.response()).body).toBe('test 1.2.3');
    const token = await server.token();
    const head = ['host: shop-acme.example', `authorization: Bearer ${token}`, ...offer];
    connection.send(rawRequest('POST /v2/pipeline HTTP/1.1', head, '{}'));
    expect(await connection.response()).toMatchObject({ status: 200, body: '{}' });
    expect(server.databases.requests.at(-1)?.request.body.toString()).toBe('{}');
    connection.destroy();
  });

  it('answers a preflight request for any route without a credential', async () => {
    const response = await fetch(`${server.url}/db/shop-acme/v3/cursor`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, x-turso-encryption-key',
      },
    });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'authorization, x-turso-encryption-key',
      'access-control-allow-methods': expect.stringContaining('POST') as unknown,
      'access-control-max-age': '86400',
    });
  });

  it('counts requests by kind and outcome', async () => {
    await post('/db/shop-acme/v2/pipeline', `Bearer ${await server.token()}`);
    await post('/db/shop-acme/v2/pipeline');
    await fetch(`${server.url}/health`);
    // A request is counted when its answer is out, which may be a moment after the client has it.
    let text = '';
    while (!text.includes('turso_byoc_requests_total{kind="other",status="2xx"} 1')) {
      ({ text } = await server.metrics.expose());
    }
    expect(text).toContain('turso_byoc_requests_total{kind="v2-pipeline",status="2xx"} 1');
    expect(text).toContain('turso_byoc_requests_total{kind="v2-pipeline",status="4xx"} 1');
    expect(text).toContain('turso_byoc_request_duration_seconds_count{kind="v2-pipeline"} 2');
  });
});

describe('official clients', () => {
  it('of libSQL show the code and the words of an error', async () => {
    const client = createClient({ url: `${server.url}/db/none-acme/`, authToken: await server.token() });
    await expect(client.execute('SELECT 1')).rejects.toMatchObject({
      code: 'AUTH_FORBIDDEN',
      message: expect.stringContaining('does not open a database of that name') as unknown,
    });
    client.close();
  });

  it('of the serverless driver show the words of an error', async () => {
    const client = connect({ url: `${server.url}/db/none-acme`, authToken: await server.token() });
    await expect(client.batch(['SELECT 1'])).rejects.toThrow('does not open a database of that name');
  });
});
