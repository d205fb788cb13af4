import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { DatabaseId } from '../identity.js';
import { rewrapThrough } from './rewrap-databases.js';

const id = '00000000-0000-4000-8000-000000000001' as DatabaseId;
let server: Server | undefined;
afterEach(() => server?.close());

/** What comes of a node that answers like this. */
async function answered(status: number, body: string): Promise<boolean> {
  server = createServer((_request, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return rewrapThrough(`http://127.0.0.1:${port}`, 'credential', 'key')(id);
}

describe('asking a node to rewrap a database', () => {
  it.each([true, false])('tells whether that changed anything: %s', async (changed) => {
    expect(await answered(200, JSON.stringify({ changed }))).toBe(changed);
  });

  it.each([
    [403, JSON.stringify({ code: 'KEY_REVOKED', message: 'it is disabled' }), 'KEY_REVOKED'],
    [502, '<html>bad gateway</html>', 'INTERNAL'],
    [500, JSON.stringify({ code: 'NOBODY_KNOWS' }), 'INTERNAL'],
  ])('throws what it answered: %i %s', async (status, body, code) => {
    await expect(answered(status, body)).rejects.toMatchObject({ code });
  });

  it('says when nobody answers', async () => {
    await expect(rewrapThrough('http://127.0.0.1:1', 'credential', 'key')(id)).rejects.toMatchObject({
      code: 'NOT_READY',
    });
  });
});
