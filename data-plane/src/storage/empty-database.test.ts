import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAdapter } from '../engine/adapters/load-adapter.js';
import { emptyDatabaseImage } from './empty-database.js';

describe('emptyDatabaseImage', () => {
  it.each([
    ['libsql', 0],
    ['libsql', 28],
    ['libsql', 255],
    ['tursodb', 0],
    ['tursodb', 48],
  ] as const)('opens in %s with %d reserved bytes and is sound', async (engine, reservedBytes) => {
    const directory = mkdtempSync(join(tmpdir(), 'empty-database-'));
    const path = join(directory, 'db');
    writeFileSync(path, emptyDatabaseImage(reservedBytes));
    const connection = (await loadAdapter(engine)).open(path, { maxPages: 1000 });
    const rows = (sql: string): unknown[][] => [...connection.prepare(sql).rows([])];
    try {
      expect(rows('PRAGMA integrity_check')).toEqual([['ok']]);
      expect(rows('SELECT count(*) FROM sqlite_schema')).toEqual([[0n]]);
      connection.exec('CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(10000))');
      expect(rows('PRAGMA integrity_check')).toEqual([['ok']]);
    } finally {
      connection.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it.each([-1, 256, 1.5, NaN])('refuses %d reserved bytes', (reservedBytes) => {
    expect(() => emptyDatabaseImage(reservedBytes)).toThrow(RangeError);
  });
});
