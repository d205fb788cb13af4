import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAdapter } from '../adapters/load-adapter.js';
import type { EngineConnection } from '../adapters/adapter.js';
import { readProgram } from './compiled-program.js';

describe.each(['libsql', 'tursodb'] as const)('the compiled program of a statement on %s', (engine) => {
  let directory: string;
  let connection: EngineConnection;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'compiled-program-'));
    connection = (await loadAdapter(engine)).open(join(directory, 'db'), { maxPages: 1000 });
    connection.exec('CREATE TABLE t (a)');
  });

  afterEach(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  it('lets CREATE … IF NOT EXISTS of something that exists through', () => {
    expect(readProgram(engine, connection, 'create', 'CREATE TABLE IF NOT EXISTS t (a)').changesSchema).toBe(false);
  });

  it('tells reads, writes and schema changes apart', () => {
    expect(readProgram(engine, connection, 'select', 'SELECT * FROM t')).toMatchObject({ writes: false });
    expect(readProgram(engine, connection, 'insert', 'INSERT INTO t VALUES (1)')).toMatchObject({ writes: true, changesSchema: false });
    expect(readProgram(engine, connection, 'create', 'CREATE TABLE u (a)')).toMatchObject({ writes: true, changesSchema: true });
  });
});
