/** What the fast lane must keep of the way Node's server treats a connection. */
import { ByocError } from '../../src/errors/catalogue.js';
import { startDataServer, type RunningDataServer } from '../support/data-server-fixture.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

let server: RunningDataServer;
const connections: RawConnection[] = [];

async function start(limits: NonNullable<Parameters<typeof startDataServer>[0]>['limits'] = {}): Promise<void> {
  server = await startDataServer({ limits });
  server.databases.run = async ({ body }) => ({ status: 200, body: Buffer.from(body) });
}
async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connections.push(connection);
  return connection;
}
async function request(body: string, extra: readonly string[] = [], path = '/v3/pipeline'): Promise<string> {
  const headers = ['host: shop-acme.example', `authorization: Bearer ${await server.token()}`, ...extra];
  return rawRequest(`POST ${path} HTTP/1.1`, headers, body);
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy();
  await server.app.close();
});

it('answers with the same head as the other way does', async () => {
  await start();
  const fast = await open();
  fast.send(await request('{}'));
  const slow = await open();
  // An expectation is nothing for the lane.
  slow.send(await request('{}', ['expect: miracles']));
  const [one, other] = [await fast.response(), await slow.response()];
  const { date: _date, ...headers } = one.headers;
  const { date: _otherDate, ...otherHeaders } = other.headers;
  expect(headers).toEqual(otherHeaders);
  expect(Object.keys(one.headers)).toEqual(Object.keys(other.headers));
  expect(Date.parse(one.headers['date'] ?? '')).not.toBeNaN();
  expect(one.body).toBe(other.body);
});

it('refuses in the same words as the other way does', async () => {
  await start();
  server.databases.run = async () => {
    throw new ByocError('OUTCOME_UNKNOWN', 'nobody knows');
  };
  const fast = await open();
  fast.send(await request('{}'));
  const slow = await open();
  slow.send(await request('{}', ['expect: miracles']));
  const [one, other] = [await fast.response(), await slow.response()];
  expect([one.status, one.body]).toEqual([other.status, other.body]);
  expect(Object.keys(one.headers).sort()).toEqual(Object.keys(other.headers).sort());
  expect(one.headers['x-request-id']).toMatch(/^[0-9a-f]{16}$/);
});

it('takes requests however they are cut', async () => {
  await start();
  const connection = await open();
  const bytes = await request('{"a":1}');
  for (const at of [1, 20, bytes.indexOf('\r\n\r\n') + 2, bytes.length - 1]) {
    connection.send(bytes.slice(0, at));
    await new Promise((resolve) => setTimeout(resolve, 5));
    connection.send(bytes.slice(at));
    expect((await connection.response()).body).toBe('{"a":1}');
  }
});

it('takes what the platform sends, so that official clients are in it', async () => {
  await start();
  let requestsOfNode = 0;
  server.app.server.on('request', () => (requestsOfNode += 1));
  const headers = { authorization: `Bearer ${await server.token()}`, 'content-type': 'application/json' };
  for (const body of ['{"a":1}', '{"a":10}']) {
    const answer = await fetch(`${server.url}/db/shop-acme/v3/pipeline`, { method: 'POST', headers, body });
    expect(await answer.text()).toBe(body);
  }
  expect(requestsOfNode).toBe(0);
  await fetch(`${server.url}/health`);
  expect(requestsOfNode).toBe(1);
});

it('hands a connection over in the middle of what a client sends ahead, in order', async () => {
  await start();
  const connection = await open();
  const health = rawRequest('GET /health HTTP/1.1', ['host: x']);
  connection.send((await request('1')) + (await request('22')) + health + (await request('333')) + health);
  const bodies = [];
  for (let n = 0; n < 5; n += 1) bodies.push((await connection.response()).body);
  expect(bodies).toEqual(['1', '22', '{"status":"ok"}', '333', '{"status":"ok"}']);
});

it('does not let a request behind a refused one take its place', async () => {
  await start();
  const connection = await open();
  const foreign = rawRequest('POST /v3/pipeline HTTP/1.1', ['host: shop-acme.example'], '{}');
  connection.send((await request('1')) + foreign + (await request('3')));
  const answers = [];
  for (let n = 0; n < 3; n += 1) answers.push(await connection.response());
  expect(answers.map(({ status }) => status)).toEqual([200, 401, 200]);
  expect(answers[2]?.body).toBe('3');
});

it('sends long answers and bytes beyond ASCII unchanged', async () => {
  await start();
  const connection = await open();
  for (const length of [1, 16 * 1024, 16 * 1024 + 1, 3_000_000]) {
    const body = Buffer.alloc(length, 'ä€\0');
    server.databases.run = async () => ({ status: 200, body });
    connection.send(await request('{}'));
    const answer = await connection.response();
    expect(Buffer.from(answer.body, 'latin1').equals(body)).toBe(true);
  }
});

it('reads no further ahead than it answers', async () => {
  await start();
  const answers: (() => void)[] = [];
  server.databases.run = ({ body }) =>
    new Promise((resolve) => answers.push(() => resolve({ status: 200, body: Buffer.from(body) })));
  const connection = await open();
  const one = await request('x');
  connection.send(one.repeat(100));
  while (answers.length < 64) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answers).toHaveLength(64);
  let answered = 0;
  while (answered < 100) {
    for (const answer of answers.splice(0)) answer();
    expect((await connection.response()).body).toBe('x');
    answered += 1;
  }
});

it('closes a connection that is idle for too long, but not one that waits for an answer', async () => {
  await start({ keepAliveTimeoutMs: 100 });
  const idle = await open();
  idle.send(await request('{}'));
  expect((await idle.response()).status).toBe(200);
  let answer = (): void => undefined;
  server.databases.run = () =>
    new Promise((resolve) => (answer = () => resolve({ status: 200, body: Buffer.from('{}') })));
  const busy = await open();
  busy.send(await request('{}'));
  await idle.untilClosed();
  answer();
  expect((await busy.response()).status).toBe(200);
});

it('ends a connection whose client has ended its side', async () => {
  await start();
  const connection = await open();
  connection.send(await request('{}'));
  expect((await connection.response()).status).toBe(200);
  connection.socket.end();
  await connection.untilClosed();
});

it('cuts off a streamed answer that fails in the middle', async () => {
  await start();
  server.databases.run = async () => ({
    status: 200,
    body: (async function* () {
      yield Buffer.from('one\n');
      throw new ByocError('OUTCOME_UNKNOWN', 'nobody knows');
    })(),
  });
  const connection = await open();
  connection.send(await request('{}', [], '/v3/cursor'));
  const text = await connection.untilClosed();
  expect(text).toContain('transfer-encoding: chunked');
  expect(text).toMatch(/\r\n\r\n4\r\none\n\r\n$/);
});

it('refuses a streamed answer that fails before its first part, and goes on', async () => {
  await start();
  server.databases.run = async () => ({
    status: 200,
    body: (async function* (): AsyncGenerator<Buffer> {
      throw new ByocError('OUTCOME_UNKNOWN', 'nobody knows');
    })(),
  });
  const connection = await open();
  connection.send(await request('{}', [], '/v3/cursor'));
  expect((await connection.response()).status).toBe(503);
  server.databases.run = async () => ({ status: 200, body: Buffer.from('{}') });
  connection.send(await request('{}'));
  expect((await connection.response()).status).toBe(200);
});

describe('a connection that is slow', () => {
  /** True when the connection is Node's: only Node's server knows it then. */
  const isHandedOver = async (): Promise<boolean> => {
    const handedOver = new Promise<boolean>((resolve) => {
      server.app.server.once('request', () => resolve(true));
    });
    const answered = connections[0]?.response().then(() => false) ?? Promise.reject(new Error('no connection'));
    connections[0]?.send(await request('{}'));
    return Promise.race([handedOver, answered]);
  };

  it('keeps its place when the rest of a request comes soon, and loses it when it does not', async () => {
    await start({ headersTimeoutMs: 400 });
    const connection = await open();
    const bytes = await request('{"a":1}');
    connection.send(bytes.slice(0, -1));
    await new Promise((resolve) => setTimeout(resolve, 10));
    connection.send(bytes.slice(-1));
    expect((await connection.response()).body).toBe('{"a":1}');
    expect(await isHandedOver()).toBe(false);
    const nodes = new Promise((resolve) => server.app.server.once('request', resolve));
    connection.send(bytes.slice(0, -1));
    await nodes;
    connection.send(bytes.slice(-1));
    expect((await connection.response()).body).toBe('{"a":1}');
    expect(await isHandedOver()).toBe(true);
  });

  it('keeps its place when it was opened ahead of its first request', async () => {
    await start({ keepAliveTimeoutMs: 60 });
    await open();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await isHandedOver()).toBe(false);
  });
});
