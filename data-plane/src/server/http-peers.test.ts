import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { databaseA as id, epochA, epochB } from '../../test/storage/sample-database.js';
import type { Peer } from '../database/peers.js';
import { HttpPeers } from './http-peers.js';

let server: Server;
let peers: HttpPeers;
/** Answers that the node at the address has not given yet. */
let open: ServerResponse[];

beforeEach(async () => {
  open = [];
  server = createServer((_request, response) => void open.push(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  peers = new HttpPeers({
    name: 'this node',
    adminCredential: 'credential',
    connectTimeoutMs: 10_000,
    log: undefined as never,
    origins: undefined as never,
  });
});

afterEach(async () => {
  peers.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function at(epoch: Peer['epoch']): Peer {
  const { port } = server.address() as AddressInfo;
  return { epoch, address: { host: '127.0.0.1', httpPort: port, adminPort: port } };
}

async function arrived(count: number): Promise<void> {
  while (open.length < count) await once(server, 'request');
}

describe('calls that are under way to an epoch that has ended', () => {
  it('are given up, with an outcome that nobody knows', async () => {
    const call = peers.collect(at(epochA), id);
    const refused = expect(call).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await arrived(1);
    peers.abandon(epochA);
    await refused;
  });

  it('are not mistaken for those to the epoch that serves at its address now', async () => {
    const before = peers.collect(at(epochA), id);
    const refused = expect(before).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const after = peers.collect(at(epochB), id);
    await arrived(2);
    peers.abandon(epochA);
    await refused;
    for (const response of open) response.end();
    await expect(after).resolves.toBeUndefined();
  });
});
