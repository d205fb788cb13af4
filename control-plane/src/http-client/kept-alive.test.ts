import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KeptAlive } from './kept-alive.js';

describe('KeptAlive', () => {
  let server: Server;
  let sockets: Set<Socket>;
  let http: KeptAlive;
  /** What the server does with a call. */
  let answer: (text: string) => string | undefined;
  beforeEach(async () => {
    sockets = new Set();
    answer = (text) => text.toUpperCase();
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const text = answer(Buffer.concat(parts).toString('utf8'));
        if (text !== undefined) response.end(text);
      });
    }).listen(0, '127.0.0.1');
    server.on('connection', (socket) => {
      sockets.add(socket);
    });
    await once(server, 'listening');
    http = new KeptAlive(200, undefined);
  });
  afterEach(() => {
    http.close();
    server.closeAllConnections();
    server.close();
  });

  const call = async (body: string) => {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const answered = await http.call({ method: 'POST', url, operation: 'test', headers: {}, body });
    return { ...answered, body: answered.body.toString('utf8') };
  };

  it('sends one call after the other over one connection, with bodies of any characters', async () => {
    for (const text of ['one', 'zwölf', '']) {
      expect(await call(text)).toEqual({ status: 200, body: text.toUpperCase() });
    }
    expect(sockets.size).toBe(1);
  });

  it('sends a call again over a connection that was closed meanwhile, and fails for good when all are', async () => {
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(call));
    let calls = 0;
    answer = (text) => {
      calls += 1;
      if (calls > 1) return text;
      for (const socket of sockets) socket.destroy();
      return undefined;
    };
    expect(await call('again')).toEqual({ status: 200, body: 'again' });

    await Promise.all(['a', 'b', 'c', 'd', 'e'].map(call));
    answer = () => {
      for (const socket of sockets) socket.destroy();
      return undefined;
    };
    await expect(call('never')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('gives up a call that takes too long', async () => {
    answer = () => undefined;
    await expect(call('slow')).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
