/**
 * The PRAGMAs that tenants may use: an allow-list, settled by the text alone. It cannot be settled by EXPLAIN, because
 * SQLite carries many PRAGMAs out while it compiles them, under EXPLAIN too.
 */
import type { EngineName } from '../../identity.js';

/** What a PRAGMA does when it is given a value. */
export type PragmaArgument =
  | 'refused' // only the bare form may be used
  | 'read' // the value says what to look at (`table_info(t)`)
  | 'session' // sets a state of this connection
  | 'database'; // writes into the database

interface PragmaRule {
  readonly argument: PragmaArgument;
  /** True when even the bare form may write. */
  readonly writes?: boolean;
  /** True when it may also be queried as `pragma_<name>(…)`. */
  readonly tableValued?: boolean;
  readonly engine?: EngineName;
}

const plain: PragmaRule = { argument: 'refused', tableValued: true };
const reader: PragmaRule = { argument: 'read', tableValued: true };
const session: PragmaRule = { argument: 'session', tableValued: true };

const rules = new Map<string, PragmaRule>([
  ...[
    'auto_vacuum',
    'busy_timeout',
    'cache_size',
    'cell_size_check',
    'collation_list',
    'compile_options',
    'data_version',
    'encoding',
    'freelist_count',
    'function_list',
    'journal_mode',
    'journal_size_limit',
    'locking_mode',
    'max_page_count',
    'module_list',
    'page_count',
    'page_size',
    'pragma_list',
    'query_only',
    'read_uncommitted',
    'schema_version',
    'secure_delete',
    'synchronous',
    'temp_store',
    'trusted_schema',
    'wal_autocheckpoint',
  ].map((name) => [name, plain] as const),
  ...[
    'foreign_key_check',
    'foreign_key_list',
    'index_info',
    'index_list',
    'index_xinfo',
    'integrity_check',
    'quick_check',
    'table_info',
    'table_list',
    'table_xinfo',
  ].map((name) => [name, reader] as const),
  ...[
    'analysis_limit',
    'case_sensitive_like',
    'defer_foreign_keys',
    'foreign_keys',
    'legacy_alter_table',
    'recursive_triggers',
  ].map((name) => [name, session] as const),
  ['application_id', { argument: 'database', tableValued: true }],
  ['user_version', { argument: 'database', tableValued: true }],
  ['optimize', { argument: 'database', writes: true }],
  // The gate answers this one itself: the engines would show where the file lies.
  ['database_list', { argument: 'refused' }],
  ['list_types', { argument: 'refused', engine: 'tursodb' }],
  // Change data capture of the Turso engine: writes into a table of the same database.
  ['capture_data_changes_conn', { argument: 'database', engine: 'tursodb' }],
  ['unstable_capture_data_changes_conn', { argument: 'database', engine: 'tursodb' }],
]);

/** The rule for a PRAGMA, undefined when it may not be used at all. `name` is in lower case. */
export function pragmaRule(engine: EngineName, name: string): PragmaRule | undefined {
  const rule = rules.get(name);
  return rule?.engine === undefined || rule.engine === engine ? rule : undefined;
}

/** True when `pragma_<name>` may be used as a table. `name` is in lower case, without the prefix. */
export function isAllowedPragmaTable(name: string): boolean {
  return rules.get(name)?.tableValued === true;
}
