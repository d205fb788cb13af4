/**
 * A database that grows past 1 GiB. SQLite never uses the page at that offset (number 262,145 with pages of 4,096 bytes, for
 * its file locks), so it is in no commit although the database has pages behind it; it must come back as a hole.
 */
import { DataNode, type TestDatabase } from '../support/data-node.js';

export interface LargeDatabaseOptions {
  readonly engine: 'libsql' | 'tursodb';
  /** The database is to have more pages than this. */
  readonly pages: number;
  readonly onProgress: (line: string) => void;
}

export interface LargeDatabaseResult {
  readonly pages: number;
  readonly rows: number;
  /** Answers of `PRAGMA integrity_check` after the database was opened from the store, and after it was written again. */
  readonly integrity: readonly unknown[];
  readonly failures: readonly string[];
}

/** The page that SQLite leaves out. */
export const lockBytePage = 2 ** 30 / 4096 + 1;
const rowBytes = 4 * 2 ** 20;
const rowPages = rowBytes / 4096;

const environment = {
  TURSO_BYOC_STATEMENT_DEADLINE_MS: '300000',
  TURSO_BYOC_DURABILITY_TIMEOUT_MS: '300000',
  TURSO_BYOC_ROUTE_TIMEOUT_MS: '300000',
  TURSO_BYOC_IDLE_CLOSE_MS: '1000',
};

/** Fills a database on a real node, closes it, deletes the cache, opens it again from the store and looks at everything. */
export async function largeDatabaseRun(options: LargeDatabaseOptions): Promise<LargeDatabaseResult> {
  const node = await DataNode.start(environment);
  try {
    return await run(node, options);
  } finally {
    await node.dispose();
  }
}

async function run(node: DataNode, { engine, pages, onProgress }: LargeDatabaseOptions): Promise<LargeDatabaseResult> {
  const failures: string[] = [];
  const database = await node.createDatabase('large', engine);
  await node.run(database, 'CREATE TABLE large (id INTEGER PRIMARY KEY, mark TEXT, filler BLOB, tail TEXT)');
  // The last rows lie behind the boundary.
  const rows = Math.ceil(pages / rowPages) + 2;
  for (let id = 1; id <= rows; id++) {
    await insert(node, database, id);
    if (id % 64 === 0) onProgress(`${engine}: ${id} of ${rows} rows`);
  }
  const grown = await pageCount(node, database);
  if (grown <= pages) failures.push(`it has ${grown} pages, not more than ${pages}`);

  const openAgain = async (): Promise<void> => {
    await node.end();
    await node.deleteCache();
    await node.restart();
  };
  const integrity: unknown[] = [];
  const look = async (expected: number): Promise<void> => {
    const wrong = await node.run(
      database,
      `SELECT count(*) FROM large WHERE mark <> 'mark ' || id OR tail <> 'tail ' || id OR length(filler) <> ${rowBytes}`,
    );
    if (Number(wrong[0]?.[0]) !== 0) failures.push(`${String(wrong[0]?.[0])} rows are not as they were written`);
    const [[count, sum] = []] = await node.run(database, 'SELECT count(*), sum(id) FROM large');
    if (Number(count) !== expected || Number(sum) !== (expected * (expected + 1)) / 2) {
      failures.push(`there are ${String(count)} rows with sum ${String(sum)}, not ${expected}`);
    }
    const [[verdict] = []] = await node.run(database, 'PRAGMA integrity_check');
    integrity.push(verdict);
    if (verdict !== 'ok') failures.push(`integrity_check: ${String(verdict)}`);
  };

  await openAgain();
  onProgress(`${engine}: opened again with ${grown} pages`);
  await look(rows);
  if ((await pageCount(node, database)) !== grown) failures.push('the number of pages has changed');
  // What comes from the store can be written, folded and opened like any other.
  await insert(node, database, rows + 1);
  await insert(node, database, rows + 2);
  await openAgain();
  await look(rows + 2);
  return { pages: grown, rows: rows + 2, integrity, failures };
}

async function insert(node: DataNode, database: TestDatabase, id: number): Promise<void> {
  await node.run(database, {
    sql: `INSERT INTO large VALUES (?1, 'mark ' || ?1, zeroblob(${rowBytes}), 'tail ' || ?1)`,
    args: [{ type: 'integer', value: String(id) }],
  });
}

async function pageCount(node: DataNode, database: TestDatabase): Promise<number> {
  return Number((await node.run(database, 'PRAGMA page_count'))[0]?.[0]);
}
