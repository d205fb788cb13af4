/** SQLite files as clients upload them, and what is in them. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';

/** Makes a file by `fill`, in WAL mode and folded into one file, and returns its bytes. `from`: what it begins as. */
export async function sampleFile(
  fill: (database: Database.Database) => void,
  setUp = '',
  from?: Buffer,
): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-sample-'));
  try {
    const path = join(directory, 'sample.db');
    if (from) await writeFile(path, from);
    const database = new Database(path);
    if (setUp !== '') database.exec(setUp);
    database.exec('PRAGMA journal_mode = wal');
    fill(database);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const bytes = await readFile(path);
    database.close();
    return bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** About `rows` × 1 kB in two tables with an index, a view, a trigger and full text. */
export function fillShop(rows: number): (database: Database.Database) => void {
  return (database) => {
    database.exec(`
      CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, note BLOB);
      CREATE TABLE sales (id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER REFERENCES items, at TEXT);
      CREATE INDEX items_by_name ON items (name);
      CREATE VIEW dear AS SELECT * FROM items WHERE price > 10;
      CREATE TRIGGER sold AFTER INSERT ON sales BEGIN UPDATE items SET price = price + 1 WHERE id = new.item; END;
      CREATE VIRTUAL TABLE notes USING fts5(body);
    `);
    database.exec('BEGIN');
    const insert = database.prepare('INSERT INTO items (name, price, note) VALUES (?, ?, ?)');
    for (let row = 0; row < rows; row++) {
      const note = createHash('sha512').update(String(row)).digest();
      insert.run([`item ${row}`, row / 7, Buffer.concat(Array.from({ length: 14 }, () => note))]);
    }
    database.exec("INSERT INTO notes (body) VALUES ('a note about pears'); COMMIT");
  };
}
