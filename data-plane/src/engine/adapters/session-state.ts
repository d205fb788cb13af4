import { TokenCursor } from '../sql-gate/tokenizer.js';

const sessionPragmas = new Set([
  'analysis_limit',
  'capture_data_changes_conn',
  'case_sensitive_like',
  'defer_foreign_keys',
  'foreign_keys',
  'legacy_alter_table',
  'recursive_triggers',
  'unstable_capture_data_changes_conn',
]);

/**
 * True when the statement leaves or uses a state that lives in its connection only: TEMP objects, settings, the current value
 * of a sequence. Such a connection cannot be exchanged for a fresh one behind the client's back.
 */
export function needsSession(sql: string): boolean {
  const cursor = new TokenCursor(sql);
  let previous = '';
  let isPragma = false;
  while (cursor.next()) {
    if (cursor.kind === 'operator') {
      if (previous === 'temp' && cursor.isOperator('.')) return true;
      if (previous === 'currval' && cursor.isOperator('(')) return true;
      previous = '';
      continue;
    }
    const name = cursor.kind === 'word' || cursor.kind === 'quoted' || cursor.kind === 'string' ? cursor.name() : '';
    if (previous === 'create' && (name === 'temp' || name === 'temporary')) return true;
    if (name === 'pragma') isPragma = true;
    if (isPragma && sessionPragmas.has(name)) return true;
    previous = name;
  }
  return false;
}
