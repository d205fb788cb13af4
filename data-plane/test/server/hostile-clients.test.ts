/** Clients that send what no official client sends, over real sockets. */
import { startDataServer, type RunningDataServer } from '../support/data-server-fixture.js';
import { RawConnection, rawRequest, type RawResponse } from '../support/raw-connection.js';

let server: RunningDataServer;
const connections: RawConnection[] = [];

async function start(limits: NonNullable<Parameters<typeof startDataServer>[0]>['limits'] = {}): Promise<void> {
  server = await startDataServer({ limits });
}
async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connections.push(connection);
  return connection;
}
async function head(extra: readonly string[] = []): Promise<string> {
  const lines = [
    'POST /v2/pipeline HTTP/1.1',
    'host: shop-acme.example',
    `authorization: Bearer ${await server.token()}`,
  ];
  return [...lines, ...extra, '', ''].join('\r\n');
}
function expectRefusal(response: RawResponse, status: number, code: string): void {
  expect(response.status).toBe(status);
  expect(response.headers['content-type']).toBe('application/json');
  expect(response.headers['x-request-id']).toMatch(/^[0-9a-f]{16}$/);
  expect(JSON.parse(response.body)).toMatchObject({ code });
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy();
  await server.app.close();
});

describe('a body that is too long', () => {
  it('is refused by its declared length, and the client can still read why while it uploads', async () => {
    await start({ maxBodyBytes: 1000 });
    const connection = await open();
    connection.send(await head(['content-length: 5000000']));
    connection.send(Buffer.alloc(2_000_000));
    const response = await connection.response();
    expectRefusal(response, 413, 'REQUEST_TOO_LARGE');
    expect(response.headers['connection']).toBe('close');
    connection.send(Buffer.alloc(3_000_000));
    await connection.untilClosed();
    expect(server.databases.requests).toEqual([]);
  });

  it('is refused while it comes in chunks', async () => {
    await start({ maxBodyBytes: 1000 });
    const connection = await open();
    connection.send(await head(['transfer-encoding: chunked']));
    connection.send(`3e8\r\n${'x'.repeat(1000)}\r\n`);
    connection.send('1\r\nx\r\n');
    expectRefusal(await connection.response(), 413, 'REQUEST_TOO_LARGE');
  });

  it('may have exactly the limit', async () => {
    await start({ maxBodyBytes: 1000 });
    const connection = await open();
    connection.send((await head(['content-length: 1000'])) + 'x'.repeat(1000));
    expect((await connection.response()).status).toBe(200);
  });

  it('is not read at all from a client without a token, small ones excepted', async () => {
    await start();
    const connection = await open();
    connection.send('POST /v2/pipeline HTTP/1.1\r\nhost: shop-acme.example\r\ncontent-length: 30000000\r\n\r\n');
    const response = await connection.response();
    expectRefusal(response, 401, 'AUTH_HTTP_HEADER_MISSING');
    expect(response.headers['connection']).toBe('close');

    const kept = await open();
    const small = rawRequest('POST /v2/pipeline HTTP/1.1', ['host: shop-acme.example'], '{}');
    kept.send(small);
    expectRefusal(await kept.response(), 401, 'AUTH_HTTP_HEADER_MISSING');
    kept.send(small);
    expectRefusal(await kept.response(), 401, 'AUTH_HTTP_HEADER_MISSING');
  });

  it('is one of many that together may take only so much memory', async () => {
    await start({ maxBufferedBodyBytes: 1500 });
    const first = await open();
    let answer = (): void => undefined;
    server.databases.run = () =>
      new Promise((resolve) => {
        answer = () => resolve({ status: 200, body: Buffer.from('{}') });
      });
    first.send((await head(['content-length: 1000'])) + 'x'.repeat(1000));
    while (server.databases.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = await open();
    second.send((await head(['content-length: 1000'])) + 'x'.repeat(1000));
    expectRefusal(await second.response(), 503, 'OVERLOADED');
    answer();
    expect((await first.response()).status).toBe(200);
    // What was taken was given back, by the refused request too.
    const third = await open();
    third.send((await head(['content-length: 1500'])) + 'x'.repeat(1500));
    while (server.databases.requests.length === 1) await new Promise((resolve) => setImmediate(resolve));
    answer();
    expect((await third.response()).status).toBe(200);
  });
});

describe('what is no request', () => {
  it.each([
    ['garbage', '\0\x01\x02garbage\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a bad method', 'FOO / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nhost: x\r\nnonsense\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative length', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n'],
  ])('%s is answered with 400 and the end of the connection', async (_what, text) => {
    await start();
    const connection = await open();
    connection.send(Buffer.from(text, 'latin1'));
    const response = await connection.response();
    expectRefusal(response, 400, 'MALFORMED_REQUEST');
    await connection.untilClosed();
  });

  it('a bad chunk does not reach a database', async () => {
    await start();
    const connection = await open();
    connection.send(`${await head(['transfer-encoding: chunked'])}zz\r\n`);
    await connection.untilClosed();
    expect(server.databases.requests).toEqual([]);
  });

  it('garbage behind a request does not take the place of its answer', async () => {
    await start();
    let answer = (): void => undefined;
    server.databases.run = () =>
      new Promise((resolve) => {
        answer = () => resolve({ status: 200, body: Buffer.from('{}') });
      });
    const connection = await open();
    connection.send(`${await head(['content-length: 2'])}{}`);
    while (server.databases.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    connection.send('garbage\r\n\r\n');
    answer();
    expect((await connection.response()).status).toBe(200);
    expectRefusal(await connection.response(), 400, 'MALFORMED_REQUEST');
    await connection.untilClosed();
    expect(server.databases.requests).toHaveLength(1);
  });

  it.each([
    ['one header', [`x-big: ${'x'.repeat(20_000)}`]],
    ['many headers', Array.from({ length: 500 }, (_, n) => `x-header-${n}: ${'x'.repeat(40)}`)],
  ])('headers that are too long (%s) are answered with 431', async (_what, headers) => {
    await start();
    const connection = await open();
    connection.send(rawRequest('POST /v2/pipeline HTTP/1.1', ['host: shop-acme.example', ...headers]));
    expectRefusal(await connection.response(), 431, 'REQUEST_HEADERS_TOO_LARGE');
  });

  it('a target that is too long is answered with 431', async () => {
    await start();
    const connection = await open();
    connection.send(rawRequest(`GET /${'x'.repeat(20_000)} HTTP/1.1`, ['host: x']));
    expectRefusal(await connection.response(), 431, 'REQUEST_HEADERS_TOO_LARGE');
  });

  it('an unknown expectation is ignored', async () => {
    await start();
    const connection = await open();
    connection.send(`${await head(['content-length: 2', 'expect: miracles'])}{}`);
    expect((await connection.response()).status).toBe(200);
  });
});

describe('slow clients', () => {
  const limits = { headersTimeoutMs: 150, requestTimeoutMs: 300 };

  it.each([
    ['say nothing', ''],
    ['never end their headers', 'POST /v2/pipeline HTTP/1.1\r\nhost: shop-acme.example\r\nx-slow: '],
  ])('that %s are answered with 408', async (_what, text) => {
    await start(limits);
    const connection = await open();
    if (text !== '') connection.send(text);
    expectRefusal(await connection.response(), 408, 'REQUEST_TIMEOUT');
    await connection.untilClosed();
  });

  it('that never end their body are answered with 408, and what they sent is given back', async () => {
    await start({ ...limits, maxBufferedBodyBytes: 1000 });
    const unfinished = `${await head(['content-length: 1000'])}${'x'.repeat(600)}`;
    const connection = await open();
    connection.send(unfinished);
    expectRefusal(await connection.response(), 408, 'REQUEST_TIMEOUT');
    await connection.untilClosed();
    const request = `${await head(['content-length: 1000'])}${'x'.repeat(1000)}`;
    let status = 0;
    // The client may see the end of its connection a moment before the server does.
    while (status !== 200) {
      const next = await open();
      next.send(request);
      ({ status } = await next.response());
    }
    expect(server.databases.requests).toHaveLength(1);
  });

  it('that are only idle between requests keep their connection', async () => {
    await start({ headersTimeoutMs: 1_000, requestTimeoutMs: 1_000 });
    const request = `${await head(['content-length: 2'])}{}`;
    const connection = await open();
    connection.send(request);
    expect((await connection.response()).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    connection.send(request);
    expect((await connection.response()).status).toBe(200);
  });
});

describe('odd but honest clients', () => {
  it('may go away in the middle of an upload', async () => {
    await start({ maxBufferedBodyBytes: 1000 });
    const connection = await open();
    connection.send(`${await head(['content-length: 1000'])}${'x'.repeat(600)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.destroy();
    const next = await open();
    let status = 0;
    // The server learns of the end when the kernel tells it.
    while (status !== 200) {
      next.send(`${await head(['content-length: 1000'])}${'x'.repeat(1000)}`);
      ({ status } = await next.response());
    }
    expect(server.databases.requests).toHaveLength(1);
    expect(server.logLines.filter((line) => Number(line['level']) >= 50)).toEqual([]);
  });

  it('may go away while their statement runs, which is then told to stop', async () => {
    await start();
    const aborted = new Promise<void>((resolve) => {
      server.databases.run = ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            resolve();
            reject(new Error('stopped'));
          });
        });
    });
    const connection = await open();
    connection.send(`${await head(['content-length: 2'])}{}`);
    while (server.databases.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    connection.destroy();
    await aborted;
    let text = '';
    while (!text.includes('turso_byoc_requests_total{kind="v2-pipeline",status="aborted"} 1')) {
      ({ text } = await server.metrics.expose());
    }
    expect(server.logLines.filter((line) => Number(line['level']) >= 40)).toEqual([]);
  });

  it('may send requests ahead; answers come in their order', async () => {
    await start();
    const answers: (() => void)[] = [];
    server.databases.run = (request) =>
      new Promise((resolve) => {
        answers.push(() => resolve({ status: 200, body: request.body }));
      });
    const connection = await open();
    const one = await head(['content-length: 1']);
    connection.send(`${one}1${one}2${one}3`);
    while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
    for (const answer of answers.reverse()) answer();
    const bodies = [];
    for (let n = 0; n < 3; n += 1) bodies.push((await connection.response()).body);
    expect(bodies).toEqual(['1', '2', '3']);
  });

  it('may send requests ahead and go away; every one of them is told to stop', async () => {
    await start();
    const stopped: string[] = [];
    server.databases.run = ({ signal, body }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          stopped.push(body.toString());
          reject(new Error('stopped'));
        });
      });
    const connection = await open();
    const one = await head(['content-length: 2']);
    for (let n = 10; n < 40; n += 1) connection.send(`${one}${n}`);
    while (server.databases.requests.length < 30) await new Promise((resolve) => setImmediate(resolve));
    connection.destroy();
    while (stopped.length < 30) await new Promise((resolve) => setImmediate(resolve));
    // And closing waits for none of them.
    await server.app.close();
  });

  it('may speak HTTP/1.0', async () => {
    await start();
    const connection = await open();
    const line = 'POST /db/shop-acme/v2/pipeline HTTP/1.0';
    connection.send(rawRequest(line, [`authorization: Bearer ${await server.token()}`], '{}'));
    const response = await connection.response();
    expect([response.status, response.body, response.headers['connection']]).toEqual([200, '{}', 'close']);
    await connection.untilClosed();

    const streaming = await open();
    server.databases.run = async () => ({
      status: 200,
      body: (async function* () {
        yield Buffer.from('one\n');
        yield Buffer.from('two\n');
      })(),
    });
    streaming.send(
      rawRequest(line.replace('v2/pipeline', 'v3/cursor'), [`authorization: Bearer ${await server.token()}`]),
    );
    expect(await streaming.untilClosed()).toMatch(/\r\n\r\none\ntwo\n$/);
  });

  it('beyond the number of connections are turned away, and nobody else is', async () => {
    await start({ maxConnections: 1 });
    const first = await open();
    const second = await open();
    expect(await second.untilClosed()).toBe('');
    first.send(`${await head(['content-length: 2'])}{}`);
    expect((await first.response()).status).toBe(200);
  });
});
