/**
 * What a statement does with which tables, in the terms of token permissions.
 *
 * Reading what SQLite itself keeps (`sqlite_schema` and the like) needs no permission. Everything that is touched does,
 * however it is reached: a view needs its tables too, a trigger and a foreign key need what they read and write. What would
 * act later with the rights of others, or read without the authorizer seeing it (triggers, virtual tables), takes everything.
 */
import { tableActions } from '../../auth/table-permissions.js';
import type { AuthorizerCall, SchemaShadow } from './authorizing-sqlite.js';
import { action, refused, type TableUse } from './table-use.js';
import { TokenCursor, unquote } from './tokenizer.js';

/** Table-valued functions without content of their own. */
const harmlessTables = new Set(['json_each', 'json_tree', 'generate_series']);
const everything: readonly TableUse[] = tableActions.map((name) => action(name, null));
/** Functions of the Turso engine that read or move a sequence, of which the compilation in SQLite says nothing. */
const sequenceFunctions: ReadonlyMap<string, TableUse> = new Map([
  ['currval', action('data_read', null)],
  ['nextval', action('data_update', null)],
  ['setval', action('data_update', null)],
]);
const temporary = refused('TEMP tables, views and triggers are not offered: they could stand in for others');

/** What a statement that is no PRAGMA does. `verb`: its first word. Throws the error of a failed compilation. */
export function statementUses(shadow: SchemaShadow, verb: string, sql: string): readonly TableUse[] {
  const calls = shadow.compile(sql);
  const uses: TableUse[] = [];
  const seen = new Set<string>();
  const dropped = verb === 'drop' ? droppedTable(calls) : undefined;
  for (const call of calls) {
    const key = `${call.code ?? '?'}\0${call.first ?? ''}\0${call.second ?? ''}`;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const use of usesOf(call, verb, dropped, shadow)) uses.push(use);
  }
  if (verb === 'create' || verb === 'alter') uses.push(...usesOfWords(verb, sql));
  uses.push(...usesOfSequences(sql));
  return uses;
}

/** What a PRAGMA does. `name` in lower case; `writes`: into the database. */
export function pragmaUses(name: string, writes: boolean): readonly TableUse[] {
  if (name.endsWith('capture_data_changes_conn')) return everything;
  if (writes) return [action('schema_update', null)];
  // They read every table, and their findings show rows.
  return name.endsWith('_check') && name !== 'cell_size_check' ? [action('data_read', null)] : [];
}

function usesOf(
  { code, first, second }: AuthorizerCall,
  verb: string,
  dropped: string | undefined,
  shadow: SchemaShadow,
): readonly TableUse[] {
  const name = first ?? '';
  switch (code) {
    case 'SELECT':
    case 'FUNCTION':
    case 'RECURSIVE':
    case 'TRANSACTION':
    case 'SAVEPOINT':
      return [];
    case 'READ':
      return name === dropped ? [] : readOf(name, shadow);
    case 'INSERT':
      return isKeptByTheEngine(name, verb) ? [] : [action('data_add', name)];
    case 'UPDATE':
      return isKeptByTheEngine(name, verb) ? [] : [action('data_update', name)];
    case 'DELETE':
      return name === dropped || isKeptByTheEngine(name, verb) ? [] : [action('data_delete', name)];
    case 'CREATE_TABLE':
      return isKeptByTheEngine(name, verb) ? [] : [action('schema_add', name)];
    case 'CREATE_VIEW':
      return [action('schema_add', name)];
    case 'CREATE_INDEX':
      return [action('schema_add', second)];
    case 'CREATE_TRIGGER':
    case 'CREATE_VTABLE':
      return everything;
    case 'DROP_TABLE':
    case 'DROP_VTABLE':
    case 'DROP_VIEW':
      return [action('schema_delete', name)];
    case 'DROP_INDEX':
    case 'DROP_TRIGGER':
      return [action('schema_delete', second)];
    case 'ALTER_TABLE':
      return [action('schema_update', second)];
    case 'ANALYZE':
      return [action('schema_update', name)];
    case 'REINDEX':
      // CREATE INDEX fills the new one.
      return verb === 'create' ? [] : [action('schema_update', null)];
    case 'CREATE_TEMP_INDEX':
    case 'CREATE_TEMP_TABLE':
    case 'CREATE_TEMP_TRIGGER':
    case 'CREATE_TEMP_VIEW':
    case 'DROP_TEMP_INDEX':
    case 'DROP_TEMP_TABLE':
    case 'DROP_TEMP_TRIGGER':
    case 'DROP_TEMP_VIEW':
      return [temporary];
    default:
      return [refused('this statement is not offered')];
  }
}

function readOf(name: string, shadow: SchemaShadow): readonly TableUse[] {
  const folded = name.toLowerCase();
  if (folded.startsWith('sqlite_')) return [];
  if (!shadow.names.has(folded)) {
    if (folded.startsWith('pragma_')) return pragmaUses(folded.slice('pragma_'.length), false);
    if (harmlessTables.has(folded)) return [];
  }
  return [action('data_read', name)];
}

/** Tables that no statement can change by naming them, and the statistics that ANALYZE writes. */
function isKeptByTheEngine(name: string, verb: string): boolean {
  if (name === 'sqlite_master' || name === 'sqlite_temp_master') return true;
  return verb === 'analyze' && /^sqlite_stat\d$/.test(name);
}

/** DROP TABLE deletes the rows first, as the authorizer sees it. */
function droppedTable(calls: readonly AuthorizerCall[]): string | undefined {
  const drop = calls.find(({ code }) => code === 'DROP_TABLE' || code === 'DROP_VTABLE' || code === 'DROP_VIEW');
  return drop?.first ?? undefined;
}

/** Sequences have no permissions of their own: whoever moves one changes whatever is numbered by it. */
function usesOfSequences(sql: string): TableUse[] {
  const uses: TableUse[] = [];
  const cursor = new TokenCursor(sql);
  let previous = '';
  while (cursor.next()) {
    const use = cursor.isOperator('(') ? sequenceFunctions.get(previous) : undefined;
    if (use) uses.push(use);
    previous = cursor.is('word') || cursor.is('quoted') ? cursor.name() : '';
  }
  return uses;
}

/**
 * What the authorizer is not asked about: the new name of a table; tables that a foreign key refers to, whose rows it will
 * hold; and a CHECK that is added to a table, whose failure tells what is in it.
 */
function usesOfWords(verb: string, sql: string): TableUse[] {
  const names: string[] = [];
  const words = new Set<string>();
  const referred: string[] = [];
  const cursor = new TokenCursor(sql);
  let previous = '';
  while (cursor.next()) {
    const isName = cursor.is('word') || cursor.is('quoted') || cursor.is('string');
    // The name may come after that of its schema.
    const name = unquote(cursor.text());
    if (previous === 'references' && isName) referred.push(name);
    previous = cursor.is('word') ? cursor.name() : '';
    if (previous !== '') words.add(previous);
    if (names.length < 10) names.push(name);
  }
  const uses = referred.map((table) => action('data_read', table));
  if (verb === 'create') return uses;
  const [, , first = '', dot, second = ''] = names;
  const table = dot === '.' ? second : first;
  const rest = names.slice(dot === '.' ? 5 : 3);
  if (words.has('check')) uses.push(action('data_read', table));
  const [rename, to, newName] = rest;
  if (rename?.toLowerCase() === 'rename' && to?.toLowerCase() === 'to' && newName !== undefined) {
    uses.push(action('schema_add', newName), { kind: 'rename', from: table, to: newName });
  }
  return uses;
}
