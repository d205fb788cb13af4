import type { EngineConnection } from '../adapters/adapter.js';
import { TokenCursor } from '../sql-gate/tokenizer.js';

/** Of a larger schema only so much is looked at. */
const mostCharacters = 256 * 1024;

/** Every word and quoted name in a schema, in lower case: its tables, columns and whatever else has a name there. Throws `EngineError`. */
export function schemaNames(connection: EngineConnection): ReadonlySet<string> {
  const names = new Set<string>();
  let characters = 0;
  for (const [name, sql] of connection.prepare('SELECT name, CAST(sql AS TEXT) FROM sqlite_schema').rows([])) {
    if (typeof name === 'string') names.add(name.toLowerCase());
    if (typeof sql !== 'string') continue;
    characters += sql.length;
    if (characters > mostCharacters) break;
    const cursor = new TokenCursor(sql);
    while (cursor.next()) if (cursor.is('word') || cursor.is('quoted')) names.add(cursor.name());
  }
  return names;
}
