/**
 * What a token may do with which tables: the claim `p` of a database token, the same list that is sent when one is minted. Both
 * planes and the engine processes use this file. A token without the claim may do everything that its access allows.
 */
export const tableActions = [
  'data_read',
  'data_add',
  'data_update',
  'data_delete',
  'schema_add',
  'schema_update',
  'schema_delete',
] as const;
export type TableAction = (typeof tableActions)[number];

/** One entry: these actions on these tables, or on all of them. */
export interface TablePermission {
  /** Table names; null = every table. */
  readonly t: readonly string[] | null;
  readonly a: readonly TableAction[];
}

/** Bounds of one token; a token has to fit a header. */
export const maxPermissions = 64;
export const maxTablesPerPermission = 128;
const maxTableNameLength = 128;

/** The entries, or a sentence that says what is wrong with them. */
export function parseTablePermissions(value: unknown): readonly TablePermission[] | string {
  if (!Array.isArray(value) || value.length === 0) return 'it is not a list of entries';
  if (value.length > maxPermissions) return `it has more than ${maxPermissions} entries`;
  const entries: TablePermission[] = [];
  for (const entry of value as unknown[]) {
    const parsed = parseEntry(entry);
    if (typeof parsed === 'string') return parsed;
    entries.push(parsed);
  }
  return entries;
}

function parseEntry(entry: unknown): TablePermission | string {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'an entry is not an object';
  const { t = null, a, ...others } = entry as { t?: unknown; a?: unknown };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `an entry has the unknown key ${JSON.stringify(unknown.slice(0, 64))}`;
  if (!Array.isArray(a) || a.length === 0) return '"a" of an entry names no actions';
  for (const action of a as unknown[]) {
    if (!isTableAction(action)) {
      return `${JSON.stringify(String(action).slice(0, 64))} is no action; there are ${tableActions.join(', ')}`;
    }
  }
  const actions = [...new Set(a as TableAction[])];
  if (t === null) return { t: null, a: actions };
  if (!Array.isArray(t) || t.length === 0) return '"t" of an entry is neither null (all tables) nor a list of tables';
  if (t.length > maxTablesPerPermission) return `an entry names more than ${maxTablesPerPermission} tables`;
  for (const table of t as unknown[]) {
    if (typeof table !== 'string' || table.length === 0 || table.length > maxTableNameLength || table.includes('\0')) {
      return `an entry names a table that is none: names have 1 to ${maxTableNameLength} characters`;
    }
  }
  return { t: [...new Set(t as string[])], a: actions };
}

function isTableAction(value: unknown): value is TableAction {
  return (tableActions as readonly unknown[]).includes(value);
}

/** True when the entries let something be changed. */
export function permitsWrites(permissions: readonly TablePermission[]): boolean {
  return permissions.some(({ a }) => a.some((action) => action !== 'data_read'));
}
