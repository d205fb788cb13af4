import type { BenchDatabase, DataNode } from './data-node.js';

const rowBytes = 1_000;
/** Rows of one insert. */
const rowsPerInsert = 5_000;

/** Creates a database with a table of random blobs, about `bytes` large. */
export async function createFilled(node: DataNode, name: string, bytes: number): Promise<BenchDatabase> {
  const database = await node.createDatabase(name);
  await node.execute(database, 'CREATE TABLE blobs (id INTEGER PRIMARY KEY, content BLOB NOT NULL)');
  await fill(node, database, bytes);
  return database;
}

/** Adds about `bytes` of random blobs. */
export async function fill(node: DataNode, database: BenchDatabase, bytes: number): Promise<void> {
  for (let left = Math.round(bytes / rowBytes); left > 0; left -= rowsPerInsert) {
    const rows = Math.min(left, rowsPerInsert);
    await node.execute(
      database,
      `INSERT INTO blobs (content) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${rows})
       SELECT randomblob(${rowBytes}) FROM numbers`,
    );
  }
}
