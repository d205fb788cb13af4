import type { Client } from '@libsql/client';
import { digestTable } from './table-digest.js';
import { insertion, lastKey, pagesAfter } from './table-pages.js';
import { quoted, readSchema, type MovedSchema, type MovedTable } from './schema.js';

/** The copy is not what the source is; the message says where they differ and what to do. */
export class CopyDiffers extends Error {
  override readonly name = 'CopyDiffers';
}

export interface CopiedDatabase {
  readonly tables: number;
  readonly rows: number;
  /** What was left where it is, and why. */
  readonly left: readonly string[];
}

/**
 * Makes `target` what `source` is, and compares both row by row. What an earlier copy of the same source, that was interrupted, has
 * brought is not brought again; what has changed since is. Throws `CopyDiffers`, or the error of a server.
 */
export async function copyDatabase(
  source: Client,
  target: Client,
  report: (line: string) => void,
): Promise<CopiedDatabase> {
  const schema = await readSchema(source);
  const there = new Set((await readSchema(target)).tables.map(({ name }) => name));
  for (const table of schema.tables) if (!there.has(table.name)) await target.execute(table.sql);
  let rows = 0;
  for (const table of schema.tables) {
    if (table.content === 'rebuild') continue;
    rows += await copyTable(source, target, table, report);
  }
  await copySequences(source, target);
  await copyRest(target, schema);
  await compareSchemas(schema, await readSchema(target));
  return { tables: schema.tables.length, rows, left: schema.left };
}

/** Copies what the target does not have, and all of it again where the two differ then. Returns the number of rows. */
async function copyTable(
  source: Client,
  target: Client,
  table: MovedTable,
  report: (line: string) => void,
): Promise<number> {
  await append(source, target, table, report);
  const first = await compareTable(source, target, table);
  if (first.isSame) return first.rows;
  report(`${table.name}: changed since it was copied, once more`);
  await target.migrate([`DELETE FROM ${quoted(table.name)}`]);
  await append(source, target, table, report);
  const second = await compareTable(source, target, table);
  if (second.isSame) return second.rows;
  throw new CopyDiffers(
    `table ${table.name} differs after it was copied twice, so something writes to it: stop its writers, or use --freeze, and run this again`,
  );
}

async function append(
  source: Client,
  target: Client,
  table: MovedTable,
  report: (line: string) => void,
): Promise<void> {
  const toStatement = insertion(table);
  let copied = 0;
  let reportAtMs = performance.now() + 5_000;
  for await (const page of pagesAfter(source, table, await lastKey(target, table))) {
    // Foreign keys are off while it lasts: the row that one points to may come later.
    await target.migrate(page.map(toStatement));
    copied += page.length;
    if (performance.now() < reportAtMs) continue;
    report(`${table.name}: ${copied} rows`);
    reportAtMs = performance.now() + 5_000;
  }
}

async function compareTable(
  source: Client,
  target: Client,
  table: MovedTable,
): Promise<{ readonly isSame: boolean; readonly rows: number }> {
  const [from, to] = await Promise.all([digestTable(source, table), digestTable(target, table)]);
  return { isSame: from.rows === to.rows && from.digest === to.digest, rows: from.rows };
}

/** What AUTOINCREMENT goes on from. */
async function copySequences(source: Client, target: Client): Promise<void> {
  const { rows: tables } = await source.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'");
  if (tables.length === 0) return;
  const { rows } = await source.execute('SELECT name, seq FROM sqlite_sequence');
  await target.batch(
    rows.flatMap((row) => [
      { sql: 'DELETE FROM sqlite_sequence WHERE name = ?', args: [row[0] ?? null] },
      { sql: 'INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', args: [row[0] ?? null, row[1] ?? null] },
    ]),
    'write',
  );
}

/** Triggers come after the rows, for which they would fire. */
async function copyRest(target: Client, { tables, rest, userVersion }: MovedSchema): Promise<void> {
  for (const { name, content } of tables) {
    if (content === 'rebuild') await target.execute(`INSERT INTO ${quoted(name)} (${quoted(name)}) VALUES ('rebuild')`);
  }
  const there = new Set((await readSchema(target)).rest.map(({ name }) => name));
  for (const { name, sql } of rest) if (!there.has(name)) await target.execute(sql);
  await target.execute(`PRAGMA user_version = ${userVersion}`);
}

async function compareSchemas(source: MovedSchema, target: MovedSchema): Promise<void> {
  const texts = ({ tables, rest }: MovedSchema): Map<string, string> =>
    new Map([...tables, ...rest].map(({ name, sql }) => [name, sql]));
  const [from, to] = [texts(source), texts(target)];
  for (const name of new Set([...from.keys(), ...to.keys()])) {
    if (from.get(name) === to.get(name)) continue;
    const why = from.has(name) ? (to.has(name) ? 'is defined otherwise' : 'is missing') : 'is there only';
    throw new CopyDiffers(
      `${name} ${why} at the target: its schema was changed on one side; delete the copy and run this again`,
    );
  }
  if (source.userVersion !== target.userVersion) throw new CopyDiffers('PRAGMA user_version differs at the target');
}
