import { createHash } from 'node:crypto';
import type { TestDatabase } from '../support/data-node.js';

/** Who writes into which table: the server's clients, and the device that has a replica. */
export const tables = ['served', 'synced'] as const;
export type Table = (typeof tables)[number];

const contentBytes = 400;

/** A database of the soak, and what must be in it: rows from 1, each with a content that follows from its number. */
export class SoakedDatabase {
  readonly rows: Record<Table, number>;
  /** What contents are made of; a branch has its parent's. */
  readonly #seed: string;

  constructor(
    readonly database: TestDatabase,
    readonly engine: 'libsql' | 'tursodb',
    parent?: SoakedDatabase,
  ) {
    this.rows = parent ? { ...parent.rows } : { served: 0, synced: 0 };
    this.#seed = parent ? parent.#seed : database.name;
  }

  content(table: Table, row: number): string {
    const hash = createHash('shake256', { outputLength: contentBytes });
    return hash.update(`${this.#seed} ${table} ${row}`).digest('hex');
  }

  /** What is wrong with all the rows of a table, of which each is its number and its content; `undefined`: nothing. */
  faultOf(table: Table, found: readonly (readonly unknown[])[]): string | undefined {
    if (found.length !== this.rows[table]) return `${found.length} rows instead of ${this.rows[table]}`;
    const at = found.findIndex(
      ([row, content], index) => Number(row) !== index + 1 || content !== this.content(table, index + 1),
    );
    return at < 0 ? undefined : `another row ${at + 1} than was written`;
  }
}

/** Makes the tables; to be done again without harm. */
export const createTables = tables.map(
  (table) => `CREATE TABLE IF NOT EXISTS ${table} (n INTEGER PRIMARY KEY, content TEXT)`,
);

/** The rows that {@link SoakedDatabase.faultOf} looks at. */
export const allRows = (table: Table): string => `SELECT n, content FROM ${table} ORDER BY n`;
