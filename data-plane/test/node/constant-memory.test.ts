import { DataNode, type TestDatabase } from '../support/data-node.js';
import { HranaSocket } from '../support/hrana-socket.js';
import { anonymousBytes, descendants, memoryGrowth } from '../support/memory-growth.js';

const rows = 1_000_000;
/** What docs/limits.md states, garbage of the heaps included; the result itself has 137 MB. */
const mostGrowthBytes = 96 * 1024 * 1024;
const connections = 100;
const streamsPerConnection = 100;
const mostBytesPerStream = 2_048;

describe('memory does not follow the size of what clients ask for', () => {
  let node: DataNode;
  let database: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_STATEMENT_DEADLINE_MS: '30000' });
    database = await node.createDatabase('large');
  });

  afterAll(async () => node.dispose());

  it('a cursor over 1,000,000 rows, read slowly at first', async () => {
    const sql = `SELECT value, value * 1.5, 'row number ' || value FROM generate_series(1, ${rows})`;
    const cursor = async (): Promise<Response> =>
      fetch(`${database.url}v3/cursor`, {
        method: 'POST',
        headers: { authorization: `Bearer ${database.token}` },
        body: JSON.stringify({ batch: { steps: [{ stmt: { sql } }] } }),
      });
    // What is loaded and compiled on the way is no growth.
    const first = (await cursor()).body?.getReader();
    await first?.read();
    await first?.cancel();
    const processes = [node.pid, ...descendants(node.pid)];
    let received = 0;
    let lines = 0;
    let end = '';
    const growth = await memoryGrowth(processes, async () => {
      const { body } = await cursor();
      for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
        if (received < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 50));
        received += part.length;
        for (const byte of part) if (byte === 0x0a) lines += 1;
        end = Buffer.from(part.subarray(-200)).toString();
      }
    });
    console.log(`${received} bytes in ${lines} lines; memory grew by ${(growth / 2 ** 20).toFixed(1)} MiB at most`);
    expect(lines).toBe(rows + 4);
    expect(end).toContain('"replication_index"');
    expect(growth).toBeLessThan(mostGrowthBytes);
  });

  it('10,000 idle streams over WebSockets', async () => {
    const before = anonymousBytes(node.pid);
    const sockets = await Promise.all(Array.from({ length: connections }, async () => HranaSocket.open(database)));
    for (const socket of sockets) {
      for (let id = 0; id < streamsPerConnection; id++) socket.sendRequest({ type: 'open_stream', stream_id: id });
    }
    for (const socket of sockets) await socket.next(({ request_id: id }) => id === streamsPerConnection);
    const bytesPerStream = (anonymousBytes(node.pid) - before) / (connections * streamsPerConnection);
    console.log(`${Math.round(bytesPerStream)} bytes for each idle stream, its share of a connection included`);
    expect(bytesPerStream).toBeLessThan(mostBytesPerStream);
    expect((await sockets[42]?.execute(7, 'SELECT 1'))?.type).toBe('response_ok');
    for (const { webSocket } of sockets) webSocket.terminate();
  });
});
