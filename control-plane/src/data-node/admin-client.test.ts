import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { systemClock } from '../clock.js';
import { AdminClient } from './admin-client.js';

type Answer = { status: number; body: unknown };
type Seen = { method: string | undefined; url: string | undefined; authorization: string | undefined; body: string };

describe('AdminClient', () => {
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));

  /** A listener that gives these answers in turn, the last one for ever. */
  const listen = async (answers: Answer[]): ReturnType<typeof listenWith> =>
    listenWith((_seen, count) => answers[Math.min(count, answers.length) - 1]);

  /** A listener that answers each call by what it is, and by how many have come. */
  async function listenWith(answerTo: (call: Seen, count: number) => Answer | undefined) {
    const seen: Seen[] = [];
    const server = createServer((request, response) => {
      void readAll(request).then((body) => {
        const { method, url, headers } = request;
        const call = { method, url, authorization: headers.authorization, body };
        seen.push(call);
        const answer = answerTo(call, seen.length);
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

  const id = newDatabaseId('libsql', Date.now());
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

  describe('creations at the same time', () => {
    /** More than go out at once, so that some wait and share a call. */
    const many = Array.from({ length: 12 }, (_, number) => ({
      ...database,
      id: newDatabaseId('libsql', Date.now()),
      name: `db-${number}`,
    }));
    const namesIn = ({ url, body }: Seen): string[] => {
      const sent = JSON.parse(body) as { name: string; databases: { name: string }[] };
      return url === '/admin/v1/creations' ? sent.databases.map(({ name }) => name) : [sent.name];
    };
    const outcomes = async (client: AdminClient): Promise<string[]> => {
      const settled = await Promise.allSettled(many.map(async (each) => client.create(each)));
      return settled.map((one) => (one.status === 'fulfilled' ? 'created' : (one.reason as { code: string }).code));
    };
    const all = many.map(({ name }) => name).sort();

    it('share a call', async () => {
      const { client, seen } = await listenWith((call) => ({
        status: 200,
        body:
          call.url === '/admin/v1/creations' ? { results: namesIn(call).map(() => ({ status: 200 })) } : { database },
      }));
      expect(await outcomes(client)).toEqual(many.map(() => 'created'));
      expect(seen.flatMap(namesIn).sort()).toEqual(all);
      expect(seen.length).toBeLessThan(many.length);
    });

    it('do not take each other with them', async () => {
      let isLate = true;
      const { client, seen } = await listenWith((call) => {
        if (call.url !== '/admin/v1/creations') return { status: 200, body: { database } };
        const results = namesIn(call).map((name) => {
          if (name === 'db-9') return { status: 409, code: 'DATABASE_EXISTS', message: 'taken' };
          if (name !== 'db-10' || !isLate) return { status: 200 };
          isLate = false;
          return { status: 503, code: 'STORE_UNAVAILABLE', message: 'later' };
        });
        return { status: 200, body: { results } };
      });
      const expected = many.map(({ name }) => (name === 'db-9' ? 'DATABASE_EXISTS' : 'created'));
      expect(await outcomes(client)).toEqual(expected);
      // What could not be done then was asked for once more, by itself.
      expect(seen.filter(({ url }) => url === '/admin/v1/databases').flatMap(namesIn)).toContain('db-10');
    });

    it('go one by one to a data node of a release that knows no common call', async () => {
      const { client, seen } = await listenWith(({ url }) =>
        url === '/admin/v1/creations'
          ? { status: 404, body: { code: 'ROUTE_NOT_FOUND', message: 'there is no such route' } }
          : { status: 200, body: { database } },
      );
      expect(await outcomes(client)).toEqual(many.map(() => 'created'));
      expect(
        seen
          .filter(({ url }) => url === '/admin/v1/databases')
          .flatMap(namesIn)
          .sort(),
      ).toEqual(all);
    });

    it('all fail when an answer has not one result for each', async () => {
      const { client } = await listenWith(({ url }) => ({
        status: 200,
        body: url === '/admin/v1/creations' ? { results: [] } : { database },
      }));
      expect(new Set(await outcomes(client))).toEqual(new Set(['created', 'DATA_PLANE_REFUSED']));
    });
  });
});

async function readAll(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
