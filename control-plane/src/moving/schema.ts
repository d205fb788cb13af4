import type { Client, Value } from '@libsql/client';

/** How the rows of a table are told apart and put in an order. */
export type RowKey =
  /** A name of the rowid that is no column. */
  | { readonly kind: 'rowid'; readonly name: string }
  | { readonly kind: 'primary key'; readonly columns: readonly string[] };

export interface MovedTable {
  readonly name: string;
  readonly sql: string;
  /** Those that are stored; generated ones are computed again. */
  readonly columns: readonly string[];
  readonly key: RowKey;
  /** `rows`: copied. `rebuild`: an index over another table, filled from there. */
  readonly content: 'rows' | 'rebuild';
}

export interface MovedSchema {
  /** In the order of their creation; virtual tables last. */
  readonly tables: readonly MovedTable[];
  /** Indexes, views and triggers: made when the rows are there. */
  readonly rest: readonly { readonly name: string; readonly sql: string }[];
  /** What is in the source and cannot be copied by SQL, and why. */
  readonly left: readonly string[];
  readonly userVersion: bigint;
}

interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

const ownedByEngine = /^(sqlite_|libsql_|_litestream_|__turso_internal|turso_cdc|turso_sync_)/i;
const rowidNames = ['rowid', '_rowid_', 'oid'];

/** Reads what a database consists of. Rejects with the error of the server. */
export async function readSchema(client: Client): Promise<MovedSchema> {
  const { rows } = await client.execute(
    'SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid',
  );
  const objects = rows.map((row) => ({
    type: text(row['type']),
    name: text(row['name']),
    sql: text(row['sql']),
  }));
  const listed = await client.execute('PRAGMA table_list');
  const kinds = new Map(
    listed.rows.map((row) => [text(row['name']), { type: text(row['type']), isWithoutRowid: Number(row['wr']) === 1 }]),
  );
  const ours = objects.filter(
    ({ name, type }) =>
      !ownedByEngine.test(name) && kinds.get(name)?.type !== 'shadow' && (type !== 'table' || kinds.has(name)),
  );
  const tables: MovedTable[] = [];
  const left: string[] = [];
  const isVirtual = ({ name }: SchemaObject): boolean => kinds.get(name)?.type === 'virtual';
  const inOrder = ours
    .filter(({ type }) => type === 'table')
    .sort((a, b) => Number(isVirtual(a)) - Number(isVirtual(b)));
  for (const object of inOrder) {
    const table = await describeTable(
      client,
      object,
      kinds.get(object.name)?.isWithoutRowid === true,
      isVirtual(object),
    );
    if (typeof table === 'string') left.push(`${object.name}: ${table}`);
    else tables.push(table);
  }
  const {
    rows: [version],
  } = await client.execute('PRAGMA user_version');
  return {
    tables,
    rest: ours.filter(({ type }) => type !== 'table'),
    left,
    userVersion: BigInt(text(version?.[0] ?? 0)),
  };
}

/** Its description, or why it cannot be copied. */
async function describeTable(
  client: Client,
  { name, sql }: SchemaObject,
  isWithoutRowid: boolean,
  isVirtual: boolean,
): Promise<MovedTable | string> {
  const info = await client.execute(`PRAGMA table_xinfo(${quoted(name)})`);
  const all = info.rows.map((row) => ({
    name: text(row['name']),
    hidden: Number(row['hidden']),
    key: Number(row['pk']),
  }));
  // 1: hidden column of a virtual table; 2 and 3: generated.
  const columns = all.filter(({ hidden }) => hidden === 0).map((column) => column.name);
  if (isWithoutRowid) {
    const key = all.filter((column) => column.key > 0).sort((a, b) => a.key - b.key);
    return {
      name,
      sql,
      columns,
      key: { kind: 'primary key', columns: key.map((column) => column.name) },
      content: 'rows',
    };
  }
  const taken = new Set(all.map((column) => column.name.toLowerCase()));
  const rowid = rowidNames.find((candidate) => !taken.has(candidate));
  if (rowid === undefined) return 'its columns hide every name of the rowid';
  const key: RowKey = { kind: 'rowid', name: rowid };
  if (!isVirtual) return { name, sql, columns, key, content: 'rows' };
  if (/\busing\s+fts[345]\b/i.test(sql)) {
    if (/\bcontent\s*=\s*(''|"")/i.test(sql)) return 'a full-text index that keeps no text cannot be read';
    if (/\bcontent\s*=/i.test(sql)) return { name, sql, columns, key, content: 'rebuild' };
    return { name, sql, columns, key, content: 'rows' };
  }
  if (/\busing\s+(rtree|rtree_i32|geopoly)\b/i.test(sql)) return { name, sql, columns, key, content: 'rows' };
  return 'a virtual table whose rows are not known to be its own';
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A value of the schema as text; blobs do not come there. */
export function text(value: Value | undefined): string {
  if (value === undefined || value === null || value instanceof ArrayBuffer) return '';
  return value.toString();
}
