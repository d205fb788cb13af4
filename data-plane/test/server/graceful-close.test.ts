import type { SqlResponse } from '../../src/database/database-service.js';
import { startDataServer, type RunningDataServer } from '../support/data-server-fixture.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

async function sqlRequest(server: RunningDataServer): Promise<string> {
  const headers = ['host: shop-acme.example', `authorization: Bearer ${await server.token()}`];
  return rawRequest('POST /v2/pipeline HTTP/1.1', headers, '{}');
}

/** Holds the next statement until the returned function is called. */
function hold(server: RunningDataServer): () => void {
  const response: SqlResponse = { status: 200, body: Buffer.from('{"late":true}') };
  let release = (): void => undefined;
  server.databases.run = () => new Promise((resolve) => (release = () => resolve(response)));
  return () => release();
}

async function running(server: RunningDataServer): Promise<void> {
  while (server.databases.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('closing the server', () => {
  it('finishes what runs, refuses what comes on kept connections, and accepts nobody', async () => {
    const server = await startDataServer();
    const request = await sqlRequest(server);
    const kept = await RawConnection.open(server.port);
    kept.send(request);
    expect((await kept.response()).status).toBe(200);
    server.databases.requests.length = 0;
    const release = hold(server);
    const busy = await RawConnection.open(server.port);
    busy.send(request);
    await running(server);

    const closed = server.app.close();
    while (server.app.server.listening) await new Promise((resolve) => setImmediate(resolve));
    await expect(RawConnection.open(server.port)).rejects.toThrow();
    kept.send(request);
    const refused = await kept.response();
    expect([refused.status, refused.headers['connection']]).toEqual([503, 'close']);
    expect(refused.headers['content-type']).toBe('application/json');
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'SHUTTING_DOWN' });
    await kept.untilClosed();

    release();
    const answer = await busy.response();
    expect([answer.status, answer.headers['connection'], answer.body]).toEqual([200, 'close', '{"late":true}']);
    await closed;
    expect(server.databases.requests).toHaveLength(1);
  });

  it('refuses other routes too', async () => {
    const server = await startDataServer();
    const release = hold(server);
    const busy = await RawConnection.open(server.port);
    const kept = await RawConnection.open(server.port);
    kept.send(rawRequest('GET /health HTTP/1.1', ['host: x']));
    expect((await kept.response()).status).toBe(200);
    busy.send(await sqlRequest(server));
    await running(server);
    const closed = server.app.close();
    while (server.app.server.listening) await new Promise((resolve) => setImmediate(resolve));
    kept.send(rawRequest('GET /ready HTTP/1.1', ['host: x']));
    expect((await kept.response()).status).toBe(503);
    release();
    await closed;
    busy.destroy();
  });

  it('waits for an answer that is being streamed', async () => {
    const server = await startDataServer();
    let goOn = (): void => undefined;
    server.databases.run = async () => ({
      status: 200,
      body: (async function* () {
        yield Buffer.from('one\n');
        await new Promise<void>((resolve) => (goOn = resolve));
        yield Buffer.from('two\n');
      })(),
    });
    const connection = await RawConnection.open(server.port);
    connection.send(await sqlRequest(server));
    await connection.until((text) => text.includes('one'));
    const closed = server.app.close();
    while (server.app.server.listening) await new Promise((resolve) => setImmediate(resolve));
    goOn();
    await closed;
    expect(await connection.untilClosed()).toMatch(/two\n\r\n0\r\n\r\n$/);
  });

  it('does not wait longer than it may', async () => {
    const server = await startDataServer({ limits: { drainTimeoutMs: 50 } });
    hold(server);
    const connection = await RawConnection.open(server.port);
    connection.send(await sqlRequest(server));
    await running(server);
    await server.app.close();
    expect(await connection.untilClosed()).toBe('');
    expect(server.databases.requests[0]?.request.signal.aborted).toBe(true);
  });

  it('answers requests that were on their way when it began', async () => {
    const server = await startDataServer({ limits: { closeGraceMs: 200 } });
    const connection = await RawConnection.open(server.port);
    connection.send(await sqlRequest(server));
    expect((await connection.response()).status).toBe(200);
    const closed = server.app.close();
    connection.send(await sqlRequest(server));
    expect((await connection.response()).status).toBe(503);
    await closed;
  });
});
