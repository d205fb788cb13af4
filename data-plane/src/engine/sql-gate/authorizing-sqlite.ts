/**
 * SQLite's authorizer, for engines whose bindings have none (or, as `libsql`'s, one that refuses every function).
 *
 * A second SQLite, in WebAssembly, holds the schema of a database without its content. Statements are compiled there, never
 * run, and its authorizer names every table that they touch and how, through views, triggers, foreign keys and common table
 * expressions: those are compiled in. It is loaded when the first token that is limited to tables comes.
 */
import type { SqlValue } from '../adapters/adapter.js';

/** One call of the authorizer: see "Authorizer Action Codes" of SQLite's C interface. */
export interface AuthorizerCall {
  /** Without the prefix `SQLITE_`; undefined for a code that this list does not have. */
  readonly code: AuthorizerCode | undefined;
  readonly first: string | null;
  readonly second: string | null;
}

const codes = [
  ['CREATE_INDEX', 1],
  ['CREATE_TABLE', 2],
  ['CREATE_TEMP_INDEX', 3],
  ['CREATE_TEMP_TABLE', 4],
  ['CREATE_TEMP_TRIGGER', 5],
  ['CREATE_TEMP_VIEW', 6],
  ['CREATE_TRIGGER', 7],
  ['CREATE_VIEW', 8],
  ['DELETE', 9],
  ['DROP_INDEX', 10],
  ['DROP_TABLE', 11],
  ['DROP_TEMP_INDEX', 12],
  ['DROP_TEMP_TABLE', 13],
  ['DROP_TEMP_TRIGGER', 14],
  ['DROP_TEMP_VIEW', 15],
  ['DROP_TRIGGER', 16],
  ['DROP_VIEW', 17],
  ['INSERT', 18],
  ['PRAGMA', 19],
  ['READ', 20],
  ['SELECT', 21],
  ['TRANSACTION', 22],
  ['UPDATE', 23],
  ['ATTACH', 24],
  ['DETACH', 25],
  ['ALTER_TABLE', 26],
  ['REINDEX', 27],
  ['ANALYZE', 28],
  ['CREATE_VTABLE', 29],
  ['DROP_VTABLE', 30],
  ['FUNCTION', 31],
  ['SAVEPOINT', 32],
  ['RECURSIVE', 33],
] as const;
export type AuthorizerCode = (typeof codes)[number][0];
const codeNames = new Map<number, AuthorizerCode>(codes.map(([name, number]) => [number, name]));

/** What is used of the package; its own types describe a browser. */
interface SqliteModule {
  readonly oo1: { readonly DB: new (name: string, flags: string) => ShadowDatabase };
  readonly capi: {
    sqlite3_set_authorizer(
      database: ShadowDatabase,
      callback: (context: number, code: number, first: string | null, second: string | null) => number,
      context: number,
    ): number;
  };
}

interface ShadowDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { finalize(): unknown };
  selectValues(sql: string): SqlValue[];
  close(): void;
}

/** An object of a schema, as `sqlite_schema` has it. */
export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** A column of a table as `PRAGMA table_xinfo` has it. */
export type ColumnsOf = (table: string) => readonly string[];

const settings = `
  PRAGMA page_size = 1024;
  PRAGMA cache_size = -64;
  PRAGMA trusted_schema = off;
  PRAGMA foreign_keys = on;
  PRAGMA recursive_triggers = on;
`;
/** Schemas that are held at one time, in one process; each takes some ten kilobytes. */
const mostShadows = 64;
const shadows = new Set<SchemaShadow>();

let loading: Promise<void> | undefined;
let sqlite: SqliteModule | undefined;

/** Undefined when it is loaded; otherwise resolves when it is. */
export function loadAuthorizingSqlite(): Promise<void> | undefined {
  if (sqlite !== undefined) return undefined;
  loading ??= import('@sqlite.org/sqlite-wasm').then(async ({ default: initialize }) => {
    const quiet = { print: () => undefined, printErr: () => undefined };
    sqlite = (await initialize(quiet)) as unknown as SqliteModule;
  });
  return loading;
}

/** The schema of one database at one time. */
export class SchemaShadow {
  readonly #objects: readonly SchemaObject[];
  readonly #columnsOf: ColumnsOf;
  /** Names of its tables, views and virtual tables, folded. */
  readonly names: ReadonlySet<string>;
  #database: ShadowDatabase | undefined;
  #calls: AuthorizerCall[] = [];

  constructor(objects: readonly SchemaObject[], columnsOf: ColumnsOf) {
    this.#objects = objects;
    this.#columnsOf = columnsOf;
    this.names = new Set(
      objects.filter(({ type }) => type === 'table' || type === 'view').map(({ name }) => name.toLowerCase()),
    );
  }

  /**
   * What compiling one statement, without EXPLAIN before it, asks of the authorizer. Throws the engine's error when it does
   * not compile here.
   */
  compile(sql: string): readonly AuthorizerCall[] {
    const database = this.#opened();
    this.#calls = [];
    // Under EXPLAIN, a function that only the engine knows need not be known here.
    database.prepare(`EXPLAIN ${sql}`).finalize();
    return this.#calls;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    shadows.delete(this);
  }

  #opened(): ShadowDatabase {
    shadows.delete(this);
    if (shadows.size >= mostShadows) {
      for (const oldest of shadows) {
        oldest.close();
        break;
      }
    }
    shadows.add(this);
    this.#database ??= this.#build();
    return this.#database;
  }

  #build(): ShadowDatabase {
    if (sqlite === undefined) throw new Error('the authorizing SQLite is not loaded');
    const { oo1, capi } = sqlite;
    const database = new oo1.DB(':memory:', 'c');
    database.exec(settings);
    for (const type of ['table', 'index', 'view', 'trigger']) {
      for (const object of this.#objects) if (object.type === type) this.#add(database, object);
    }
    capi.sqlite3_set_authorizer(
      database,
      (_context, code, first, second) => {
        this.#calls.push({ code: codeNames.get(code), first, second });
        return 0;
      },
      0,
    );
    return database;
  }

  /** What cannot be added is missing here, and a statement that needs it does not compile. */
  #add(database: ShadowDatabase, { type, name, sql }: SchemaObject): void {
    try {
      database.exec(sql);
    } catch {
      // A virtual table of a module that is not here, or the tables behind one, which came with it.
      if (type === 'table' && /^\s*create\s+virtual\b/iu.test(sql)) this.#addPlain(database, name);
    }
  }

  /** A virtual table as a table with the same columns, those that are hidden included. */
  #addPlain(database: ShadowDatabase, name: string): void {
    const columns = this.#columnsOf(name).map(quoted).join(', ');
    try {
      database.exec(`CREATE TABLE ${quoted(name)} (${columns})`);
    } catch {
      // No columns, or two of one name: then it stays away.
    }
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
