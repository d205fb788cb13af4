import type { Client, InStatement, InValue, Value } from '@libsql/client';
import { quoted, type MovedTable } from './schema.js';

/** The key of a row, then its columns, in the order of the table's description. */
export type MovedRow = readonly Value[];

const mostRows = 1_000;
const fewestRows = 1;
/** Kept below what servers answer at once (10 MB in Turso Cloud). */
const pageBytes = 2 * 1024 * 1024;

/** How many values of a row are its key. */
export function keyLength({ key }: MovedTable): number {
  return key.kind === 'rowid' ? 1 : key.columns.length;
}

function keyColumns({ key }: MovedTable): readonly string[] {
  return key.kind === 'rowid' ? [key.name] : key.columns.map(quoted);
}

/** The greatest key of a table, undefined when it is empty. */
export async function lastKey(client: Client, table: MovedTable): Promise<readonly Value[] | undefined> {
  const names = keyColumns(table);
  const order = names.map((name) => `${name} DESC`).join(', ');
  const { rows } = await client.execute(
    `SELECT ${names.join(', ')} FROM ${quoted(table.name)} ORDER BY ${order} LIMIT 1`,
  );
  const [row] = rows;
  return row === undefined ? undefined : names.map((_, index) => row[index] ?? null);
}

/**
 * The rows of a table after a key, in the order of their keys, in pages of some megabytes at most. Each page is a statement of
 * its own, so that no transaction is held open: rows that are written meanwhile may or may not be among them.
 */
export async function* pagesAfter(
  client: Client,
  table: MovedTable,
  after?: readonly Value[],
): AsyncGenerator<readonly MovedRow[]> {
  const names = keyColumns(table);
  const list = names.join(', ');
  const columns = [...names, ...table.columns.map(quoted)].join(', ');
  const marks = names.map(() => '?').join(', ');
  let last = after;
  let limit = 100;
  for (;;) {
    const where = last === undefined ? '' : `WHERE (${list}) > (${marks})`;
    const { rows } = await client.execute({
      sql: `SELECT ${columns} FROM ${quoted(table.name)} ${where} ORDER BY ${list} LIMIT ${limit}`,
      args: [...(last ?? [])] as InValue[],
    });
    if (rows.length === 0) return;
    const width = names.length + table.columns.length;
    const page = rows.map((row) => Array.from({ length: width }, (_, index) => row[index] ?? null));
    yield page;
    last = page.at(-1)?.slice(0, names.length);
    const bytesOfRow = page.reduce((sum, row) => sum + sizeOf(row), 0) / page.length;
    limit = Math.max(fewestRows, Math.min(mostRows, Math.floor(pageBytes / bytesOfRow)));
  }
}

/** The statement that puts a row, as it was read, into a table of the same description. */
export function insertion(table: MovedTable): (row: MovedRow) => InStatement {
  const isRowid = table.key.kind === 'rowid';
  const names = [...(isRowid ? keyColumns(table) : []), ...table.columns.map(quoted)];
  const sql = `INSERT INTO ${quoted(table.name)} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
  const skipped = isRowid ? 0 : keyLength(table);
  return (row) => ({ sql, args: row.slice(skipped) as InValue[] });
}

/** About how many bytes a row takes on the way. */
function sizeOf(row: MovedRow): number {
  let bytes = 16;
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length;
    else if (value instanceof ArrayBuffer) bytes += (value.byteLength * 4) / 3;
    else bytes += 16;
  }
  return bytes;
}
