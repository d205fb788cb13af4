import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { systemClock } from '../clock.js';
import { AdminClient } from './admin-client.js';

type Answer = { status: number; body: unknown };

describe('AdminClient', () => {
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));

  /** A listener that gives these answers in turn, the last one for ever. */
  async function listen(answers: Answer[]) {
    const seen: {
      method: string | undefined;
      url: string | undefined;
      authorization: string | undefined;
      body: string;
    }[] = [];
    const server = createServer((request, response) => {
      void readAll(request).then((body) => {
        const { method, url, headers } = request;
        seen.push({ method, url, authorization: headers.authorization, body });
        const answer = answers[Math.min(seen.length, answers.length) - 1];
        response.writeHead(answer?.status ?? 500, { 'content-type': 'application/json' });
        response.end(JSON.stringify(answer?.body));
      });
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const client = new AdminClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credential: 'shared-secret',
      clock: systemClock,
      retryBudgetMs: 400,
      attemptTimeoutMs: 5_000,
    });
    return { client, seen };
  }

  const id = newDatabaseId('libsql');
  const database = {
    id,
    name: 'db',
    organization: 'default',
    group: { id: 'g', name: 'default' },
    engine: 'libsql',
  } as const;

  it('creates a database with the shared credential', async () => {
    const { client, seen } = await listen([{ status: 200, body: { database } }]);
    await client.create(database);
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/admin/v1/databases',
        authorization: 'Bearer shared-secret',
        body: JSON.stringify(database),
      },
    ]);
  });

  it('looks a database up by name', async () => {
    const { client, seen } = await listen([
      { status: 200, body: { database } },
      { status: 404, body: { code: 'DATABASE_NOT_FOUND' } },
    ]);
    expect(await client.findByName('system', 'catalog')).toEqual({ id });
    expect(await client.findByName('system', 'catalog')).toBeUndefined();
    expect(seen[0]?.url).toBe('/admin/v1/organizations/system/databases/catalog');
  });

  it('repeats while the data node is away', async () => {
    const { client, seen } = await listen([
      { status: 503, body: { code: 'SHUTTING_DOWN' } },
      { status: 502, body: '<html>' },
      { status: 200, body: {} },
    ]);
    await client.delete(id);
    expect(seen).toHaveLength(3);
  });

  it('gives up when its budget is spent', async () => {
    const { client } = await listen([{ status: 503, body: { code: 'STORE_UNAVAILABLE' } }]);
    await expect(client.delete(id)).rejects.toMatchObject({ code: 'DATA_PLANE_UNAVAILABLE', status: 503 });
  });

  it('passes a refusal on with its code', async () => {
    const { client, seen } = await listen([{ status: 409, body: { code: 'DATABASE_EXISTS', message: 'taken' } }]);
    await expect(client.create(database)).rejects.toMatchObject({
      name: 'AdminRefusal',
      code: 'DATABASE_EXISTS',
      message: 'taken',
    });
    expect(seen).toHaveLength(1);
  });

  it.each([
    { status: 401, body: { code: 'AUTH_JWT_INVALID', message: 'no' } },
    { status: 500, body: { code: 'INTERNAL', message: 'broken' } },
    { status: 404, body: {} },
  ])('does not take %p for an answer about the database', async (answer) => {
    const { client } = await listen([answer]);
    await expect(client.create(database)).rejects.toMatchObject({ code: 'DATA_PLANE_REFUSED' });
  });
});

async function readAll(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
