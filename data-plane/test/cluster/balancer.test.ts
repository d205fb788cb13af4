import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Balancer } from './balancer.js';

const servers: Server[] = [];
let balancer: Balancer | undefined;
afterEach(async () => {
  await balancer?.close();
  balancer = undefined;
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A node that answers every request with its name, or as `answer` does. */
async function node(name: string, isReady: () => boolean, answer?: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/ready') response.writeHead(isReady() ? 200 : 503).end();
    else if (answer) answer(request, response);
    else response.end(name);
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function balance(...targets: string[]): Promise<(count: number) => Promise<string[]>> {
  const started = await Balancer.start({ targets, checkEveryMs: 20, checkTimeoutMs: 5_000 });
  balancer = started;
  return async (count) => {
    const answers: string[] = [];
    for (let n = 0; n < count; n++) {
      const response = await fetch(started.url, { method: 'POST', body: 'x' });
      const text = await response.text();
      answers.push(response.status === 200 ? text : String(response.status));
    }
    return answers;
  };
}

describe('the load balancer of the cluster test', () => {
  it('sends requests to the nodes that are ready, in turn', async () => {
    let isReady = true;
    const ask = await balance(await node('a', () => true), await node('b', () => isReady));
    expect((await ask(4)).sort()).toEqual(['a', 'a', 'b', 'b']);
    isReady = false;
    while (new Set(await ask(4)).has('b')) await delay(10);
    expect(await ask(4)).toEqual(['a', 'a', 'a', 'a']);
    isReady = true;
    while (!new Set(await ask(4)).has('b')) await delay(10);
  });

  it('sends what a node refuses to receive to another one', async () => {
    const a = await node('a', () => true);
    const b = await node('b', () => true);
    const ask = await balance(a, b);
    servers[1]?.close();
    servers[1]?.closeAllConnections();
    expect(await ask(4)).toEqual(['a', 'a', 'a', 'a']);
  });

  it('never sends again what a node may have received', async () => {
    let received = 0;
    const breakOff: RequestListener = (request) => {
      received += 1;
      request.socket.destroy();
    };
    const ask = await balance(await node('a', () => true, breakOff));
    expect(await ask(1)).toEqual(['502']);
    expect(received).toBe(1);
  });
});
