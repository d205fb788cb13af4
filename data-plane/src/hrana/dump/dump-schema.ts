/** What a dump writes of a schema, and in which order. */
import { sqlName } from './sql-literal.js';

export interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

/** A table whose rows are dumped. */
export interface DumpedTable {
  readonly name: string;
  readonly sql: string;
  /** CREATE VIRTUAL TABLE. */
  readonly isVirtual: boolean;
}

export interface DumpedSchema {
  readonly tables: readonly DumpedTable[];
  /** Indexes, triggers, views. */
  readonly others: readonly string[];
}

const virtual = /^create\s+virtual\s+table\b/iu;
/** libSQL keeps vector indexes in tables that it makes and fills with the index. */
const vectorIndex = /\blibsql_vector_idx\b/iu;
const vectorTables = ['libsql_vector_meta_shadow'];
/** Tables that the engines keep for themselves. */
const internalName = /^(?:sqlite_|__turso_internal_)/u;

/** `shadows`: tables that a virtual table made for itself, and fills. */
export function dumpedSchema(entries: readonly SchemaEntry[], shadows: ReadonlySet<string>): DumpedSchema {
  const made = new Set([
    ...shadows,
    ...vectorTables,
    ...entries.flatMap(({ type, name, sql }) => (type === 'index' && vectorIndex.test(sql) ? [`${name}_shadow`] : [])),
  ]);
  const written = entries.filter(({ name, table }) => !internalName.test(name) && !made.has(name) && !made.has(table));
  return {
    tables: written
      .filter(({ type }) => type === 'table')
      .map(({ name, sql }) => ({ name, sql, isVirtual: virtual.test(sql) })),
    others: written.filter(({ type }) => type !== 'table').map(({ sql }) => sql),
  };
}

/**
 * The SELECT that reads the rows of a table: for each column its value, text as its bytes, and whether it is text. `columns`
 * may be more than the declared ones (`rowid`).
 */
export function rowsQuery(table: string, columns: readonly string[]): string {
  const values = columns.map((column) => {
    const name = sqlName(column);
    return `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END, typeof(${name}) = 'text'`;
  });
  return `SELECT ${values.join(', ')} FROM ${sqlName(table)}`;
}
