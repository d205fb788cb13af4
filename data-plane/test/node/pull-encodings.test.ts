/**
 * Pulls of clients that can read pages in Zstandard. Node.js can compress with it from version 22.15 on, and decompress as well: there
 * the pages are compared; before, and by this test there, such a client gets them as they are.
 */
import * as zlib from 'node:zlib';
import { chosenEncoding } from '@turso-byoc/data-plane/sync/pull-answer.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { decodePull, encodePull, type PullAnswer } from '../support/pulls.js';

const decompress = (zlib as { zstdDecompressSync?: (bytes: Uint8Array) => Buffer }).zstdDecompressSync;

let node: DataNode;
let database: TestDatabase;
beforeAll(async () => {
  node = await DataNode.start();
  database = await node.createDatabase('encoded');
  await node.run(
    database,
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t (a) SELECT hex(zeroblob(200)) FROM n',
    'INSERT INTO t (a) VALUES (randomblob(20000))',
  );
}, 30_000);
afterAll(async () => node.dispose());

async function pull(asked: Parameters<typeof encodePull>[0]): Promise<PullAnswer & { readonly bytes: number }> {
  const answer = await fetch(`${database.url}pull-updates`, {
    method: 'POST',
    headers: { authorization: `Bearer ${database.token}` },
    body: encodePull(asked),
  });
  const body = new Uint8Array(await answer.arrayBuffer());
  expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, null]);
  return { ...decodePull(body), bytes: body.length };
}

it('whoever can read Zstandard gets the same pages', async () => {
  const raw = await pull({ encoding: 'raw' });
  expect([raw.isRaw, raw.pages.size]).toEqual([true, raw.databasePages]);
  const zstd = await pull({ encoding: 'zstd' });
  expect([zstd.revision, zstd.databasePages]).toEqual([raw.revision, raw.databasePages]);
  // What the node says of the pages is what they are.
  expect(zstd.isRaw).toBe(decompress === undefined);
  expect(chosenEncoding('zstd')).toBe(decompress ? 'zstd' : 'raw');
  expect([...zstd.pages.keys()]).toEqual([...raw.pages.keys()]);
  for (const [page, content] of zstd.pages) {
    expect([page, (decompress ? decompress(content) : content).equals(raw.pages.get(page) ?? Buffer.of())]).toEqual([
      page,
      true,
    ]);
  }
  if (!decompress) console.log(`this Node.js (${process.version}) has no Zstandard: pages were answered as they are`);
  else expect(zstd.bytes).toBeLessThan(raw.bytes / 2);
});

it('and the same changes afterwards', async () => {
  const { revision } = await pull({ encoding: 'zstd' });
  await node.run(database, "UPDATE t SET a = 'changed' WHERE id = 250");
  const raw = await pull({ encoding: 'raw', clientRevision: revision });
  const zstd = await pull({ encoding: 'zstd', clientRevision: revision });
  expect(raw.pages.size).toBeGreaterThan(0);
  expect(raw.pages.size).toBeLessThan(raw.databasePages);
  const contents = [...zstd.pages].map(([page, content]) => [page, decompress ? decompress(content) : content]);
  expect(new Map(contents as [number, Buffer][])).toEqual(raw.pages);
});
