/** Answers that leave in parts: back-pressure, failures half way, clients that stop reading. */
import { ByocError } from '../../src/errors/catalogue.js';
import { startDataServer, type RunningDataServer } from '../support/data-server-fixture.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

let server: RunningDataServer;
beforeEach(async () => {
  server = await startDataServer({ limits: { stallTimeoutMs: 300 } });
});
afterEach(async () => {
  await server.app.close();
});

/** Lets every cursor answer with these parts; `ended` resolves when the server is done with them, however it ends. */
function answerWith(parts: () => AsyncGenerator<Buffer>): { ended: Promise<void> } {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  server.databases.run = async () => ({
    status: 200,
    body: (async function* () {
      try {
        yield* parts();
      } finally {
        end();
      }
    })(),
  });
  return { ended };
}

async function cursor(): Promise<Response> {
  const headers = { authorization: `Bearer ${await server.token()}` };
  return fetch(`${server.url}/db/shop-acme/v3/cursor`, { method: 'POST', body: '{}', headers });
}

async function rawCursor(): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  const headers = ['host: shop-acme.example', `authorization: Bearer ${await server.token()}`];
  connection.send(rawRequest('POST /v3/cursor HTTP/1.1', headers, '{}'));
  return connection;
}

async function* endless(count: { parts: number }): AsyncGenerator<Buffer> {
  for (;;) {
    count.parts += 1;
    yield Buffer.alloc(64 * 1024, 'x');
  }
}

describe('a streamed answer', () => {
  it('leaves part by part, each one before the next is made', async () => {
    let goOn = (): void => undefined;
    answerWith(async function* () {
      yield Buffer.from('{"baton":"b"}\n');
      await new Promise<void>((resolve) => (goOn = resolve));
      yield Buffer.from('{"type":"row"}\n');
    });
    const response = await cursor();
    expect(response.headers.get('content-type')).toBe('text/plain');
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('{"baton":"b"}\n');
    goOn();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('{"type":"row"}\n');
    expect((await reader.read()).done).toBe(true);
  });

  it('may be empty', async () => {
    answerWith(async function* () {
      await Promise.resolve();
    });
    const response = await cursor();
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('that fails before its first part is an ordinary error', async () => {
    answerWith(async function* () {
      throw new ByocError('DATABASE_MOVED', 'it moved');
    });
    const response = await cursor();
    expect([response.status, response.headers.get('content-type')]).toEqual([503, 'application/json']);
    expect(await response.json()).toMatchObject({ code: 'DATABASE_MOVED' });
  });

  it('that fails half way is cut off, so that it cannot be taken for a whole one', async () => {
    let fail = (): void => undefined;
    answerWith(async function* () {
      yield Buffer.from('one\n');
      await new Promise<void>((resolve) => (fail = resolve));
      throw new ByocError('DATABASE_MOVED', 'it moved');
    });
    const response = await cursor();
    fail();
    await expect(response.text()).rejects.toThrow();
    expect(server.logLines).toContainEqual(expect.objectContaining({ code: 'DATABASE_MOVED', level: 40 }));
  });

  it('is made no faster than the client takes it, and is given up when it takes nothing', async () => {
    const count = { parts: 0 };
    const { ended } = answerWith(() => endless(count));
    const connection = await rawCursor();
    connection.socket.pause();
    await ended;
    // What the kernel's buffers of both sides hold, and no more.
    expect(count.parts * 64 * 1024).toBeLessThan(64 * 1024 * 1024);
    connection.socket.resume();
    await connection.untilClosed();
    expect(server.logLines).toContainEqual(expect.objectContaining({ msg: 'a streamed answer was cut off' }));
  });

  it('is given up when the client goes away', async () => {
    const { ended } = answerWith(() => endless({ parts: 0 }));
    const connection = await rawCursor();
    await connection.until((text) => text.length > 100_000);
    connection.destroy();
    await ended;
    const { request } = server.databases.requests[0]!;
    if (!request.signal.aborted) {
      await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    }
    expect(server.logLines.filter((line) => Number(line['level']) >= 40)).toEqual([]);
  });
});
