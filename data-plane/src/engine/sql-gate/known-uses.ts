import { ByocError } from '../../errors/catalogue.js';
import type { EngineName } from '../../identity.js';
import type { EngineConnection, EngineStatement, SqlValue } from '../adapters/adapter.js';
import { SchemaShadow } from './authorizing-sqlite.js';
import type { ForbiddenNames } from './forbidden-names.js';
import type { GateLimits } from './gate-limits.js';
import { planPragma } from './pragma-plan.js';
import { readFacts } from './statement-facts.js';
import { pragmaUses, statementUses } from './statement-uses.js';
import { refused, type TableUse } from './table-use.js';
import { transactionControl } from './transaction-control.js';

/** A longer schema is not held a second time. */
const maxSchemaCharacters = 4 * 1024 * 1024;
/** Statements whose uses are remembered. */
const mostKnown = 512;

interface KnownSchema {
  readonly version: SqlValue;
  readonly shadow: SchemaShadow;
  readonly uses: Map<string, readonly TableUse[]>;
}

/**
 * What the statements of one database do with which tables, for tokens that are limited to some. Nothing of it exists before
 * such a token comes. What is known holds for one version of the schema, as the asking connection sees it.
 */
export class StatementUses {
  private known: KnownSchema | undefined;
  private readonly versionReaders = new WeakMap<EngineConnection, EngineStatement>();

  constructor(
    private readonly engine: EngineName,
    private readonly limits: GateLimits,
  ) {}

  /** `sql`: one statement, which the gate let through. Throws `SQLITE_AUTH` when what it does cannot be found out. */
  of(sql: string, connection: EngineConnection, forbidden: ForbiddenNames): readonly TableUse[] {
    const schema = this.schemaOf(connection);
    const known = schema.uses.get(sql);
    if (known !== undefined) return known;
    const uses = this.find(sql, schema.shadow, forbidden);
    if (sql.length <= this.limits.maxCachedSqlLength) {
      if (schema.uses.size >= mostKnown) schema.uses.clear();
      schema.uses.set(sql, uses);
    }
    return uses;
  }

  clear(): void {
    this.known?.shadow.close();
    this.known = undefined;
  }

  private find(sql: string, shadow: SchemaShadow, forbidden: ForbiddenNames): readonly TableUse[] {
    const facts = readFacts(sql, forbidden, this.limits);
    const verb = facts.head[0]?.kind === 'word' ? facts.head[0].name : '';
    if (verb === 'pragma') {
      const { name, writes } = planPragma(this.engine, facts);
      return pragmaUses(name, writes);
    }
    if (transactionControl(facts) !== null) return [];
    try {
      return statementUses(shadow, verb, facts.explained);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const reason = error.message.replace(/^SQLITE_[A-Z]+: sqlite3 result code \d+: /, '');
      return [refused(`what this statement does cannot be checked (${reason.slice(0, 200)})`)];
    }
  }

  private schemaOf(connection: EngineConnection): KnownSchema {
    const version = this.versionOf(connection);
    if (this.known?.version === version) return this.known;
    this.clear();
    this.known = { version, shadow: readSchema(connection), uses: new Map() };
    return this.known;
  }

  private versionOf(connection: EngineConnection): SqlValue {
    let reader = this.versionReaders.get(connection);
    if (reader === undefined) {
      reader = connection.prepare('PRAGMA schema_version');
      this.versionReaders.set(connection, reader);
    }
    const [row] = [...reader.rows([])];
    return row?.[0] ?? null;
  }
}

function readSchema(connection: EngineConnection): SchemaShadow {
  const [[temporary] = []] = [...connection.prepare('SELECT count(*) FROM sqlite_temp_schema').rows([])];
  if (temporary !== 0n) {
    throw new ByocError(
      'SQLITE_AUTH',
      'not authorized: this stream has TEMP objects, which a token for single tables cannot use; open a new stream',
    );
  }
  const objects = [];
  let characters = 0;
  const query = 'SELECT type, name, CAST(sql AS TEXT) FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid';
  for (const [type, name, sql] of connection.prepare(query).rows([])) {
    if (typeof sql !== 'string') continue;
    characters += sql.length;
    objects.push({ type: String(type), name: String(name), sql });
  }
  if (characters > maxSchemaCharacters) {
    throw new ByocError(
      'SQLITE_AUTH',
      `not authorized: a schema of more than ${maxSchemaCharacters} characters takes a token for all tables`,
    );
  }
  return new SchemaShadow(objects, (table) => {
    const name = `"${table.replaceAll('"', '""')}"`;
    return [...connection.prepare(`PRAGMA table_xinfo(${name})`).rows([])].map(([, column]) => String(column));
  });
}
