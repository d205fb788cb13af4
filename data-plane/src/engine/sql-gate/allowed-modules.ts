/**
 * The virtual table modules that tenant statements may name, and everything that is refused wherever it stands as a name.
 * A compiled program does not say which virtual table it opens, so these are settled by name.
 */

/** Modules that may be used, by `CREATE VIRTUAL TABLE … USING` or directly in FROM. */
export const allowedModules: ReadonlySet<string> = new Set([
  'dbstat',
  'fts3',
  'fts4',
  'fts4aux',
  'fts5',
  'fts5vocab',
  'generate_series',
  'geopoly',
  'json_each',
  'json_tree',
  'rtree',
  'rtree_i32',
  'vector_top_k',
]);

/**
 * Names that are refused even when the engine does not list them as modules: they read files (`fsdir`, `csv`, `zipfile`), raw
 * pages (`sqlite_dbpage`), native pointers (`carray`), other clients' statements (`sqlite_stmt`), or name libSQL's table of
 * WebAssembly functions.
 */
export const alwaysForbiddenNames: ReadonlySet<string> = new Set([
  'bytecode',
  'carray',
  'completion',
  'csv',
  'dbdata',
  'dbptr',
  'fsdir',
  'fts3tokenize',
  'libsql_wasm_func_table',
  'lsm1',
  'sqlite_dbdata',
  'sqlite_dbpage',
  'sqlite_dbptr',
  'sqlite_memstat',
  'sqlite_stmt',
  'tables_used',
  'zipfile',
]);
