import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runLoad } from './run-load.js';

const silent = { onMeasuring: () => undefined, onMeasured: () => undefined };
const request = (path: string): Buffer =>
  Buffer.from(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`);

describe('runLoad', () => {
  let server: Server;
  let port: number;
  const seen = new Map<string, number>();

  beforeAll(async () => {
    server = createServer((incoming, response) => {
      const path = incoming.url ?? '';
      seen.set(path, (seen.get(path) ?? 0) + 1);
      incoming.resume().on('end', () => {
        if (path === '/break') incoming.socket.destroy();
        else response.writeHead(path === '/fail' ? 500 : 200, { 'content-length': 2 }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });

  afterAll(() => server.close());
  beforeEach(() => seen.clear());

  it('sends every request once', async () => {
    const requests = Array.from({ length: 25 }, (_, index) => request(`/${index}`));
    const events: string[] = [];
    const result = await runLoad(
      { host: '127.0.0.1', port, requests, connections: 4, extent: { kind: 'once' } },
      { onMeasuring: () => events.push('measuring'), onMeasured: () => events.push('measured') },
    );
    expect(result).toMatchObject({ completed: 25, failed: 0 });
    expect(result.latenciesMs).toHaveLength(25);
    expect([...seen.values()]).toEqual(Array.from({ length: 25 }, () => 1));
    expect(events).toEqual(['measuring', 'measured']);
  });

  it('runs for a time and counts what ends in it', async () => {
    const result = await runLoad(
      {
        host: '127.0.0.1',
        port,
        requests: [request('/a'), request('/b')],
        connections: 2,
        extent: { kind: 'time', warmupMs: 30, measureMs: 100 },
      },
      silent,
    );
    expect(result.completed).toBeGreaterThan(0);
    const sent = (seen.get('/a') ?? 0) + (seen.get('/b') ?? 0);
    expect(sent).toBeGreaterThanOrEqual(result.completed);
    expect(result).toMatchObject({ failed: 0, elapsedMs: 100 });
  });

  it('counts failures apart and tells the first', async () => {
    const result = await runLoad(
      {
        host: '127.0.0.1',
        port,
        requests: [request('/a'), request('/fail')],
        connections: 1,
        extent: { kind: 'once' },
      },
      silent,
    );
    expect(result).toMatchObject({ completed: 1, failed: 1, firstFailure: '500 {}' });
  });

  it('rejects when a connection breaks', async () => {
    const running = runLoad(
      { host: '127.0.0.1', port, requests: [request('/break')], connections: 1, extent: { kind: 'once' } },
      silent,
    );
    await expect(running).rejects.toThrow();
  });
});
