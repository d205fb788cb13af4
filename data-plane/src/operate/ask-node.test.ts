import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { askNode } from './ask-node.js';

let server: Server | undefined;
afterEach(() => server?.close());

/** What comes of a node that answers like this. */
async function answered(status: number, body: string): Promise<unknown> {
  server = createServer((_request, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return askNode({ url: `http://127.0.0.1:${port}`, credential: 'credential' }, 'POST', '/databases/1/rewrap', {});
}

describe('asking a node', () => {
  it('gives what it answered', async () => {
    expect(await answered(200, JSON.stringify({ changed: true }))).toEqual({ changed: true });
  });

  it.each([
    [403, JSON.stringify({ code: 'KEY_REVOKED', message: 'it is disabled' }), 'KEY_REVOKED'],
    [502, '<html>bad gateway</html>', 'INTERNAL'],
    [500, JSON.stringify({ code: 'NOBODY_KNOWS' }), 'INTERNAL'],
  ])('throws what it answered: %i %s', async (status, body, code) => {
    await expect(answered(status, body)).rejects.toMatchObject({ code });
  });

  it('says when nobody answers', async () => {
    const nobody = { url: 'http://127.0.0.1:1', credential: 'credential' };
    await expect(askNode(nobody, 'GET', '/databases/1')).rejects.toMatchObject({ code: 'NOT_READY' });
  });
});
