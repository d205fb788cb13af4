import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAdapter } from '../adapters/load-adapter.js';
import type { EngineConnection } from '../adapters/adapter.js';
import { readTursodbProgram } from './tursodb-program.js';

describe('the compiled program of a statement on tursodb', () => {
  let directory: string;
  let connection: EngineConnection;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tursodb-program-'));
    connection = (await loadAdapter('tursodb')).open(join(directory, 'db'), { maxPages: 1000 });
    connection.exec('CREATE TABLE t (a); CREATE SEQUENCE s');
  });

  afterEach(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  it('lets CREATE … IF NOT EXISTS of something that exists through', () => {
    const program = readTursodbProgram(connection, 'create', 'CREATE TABLE IF NOT EXISTS t (a)');
    expect(program.changesSchema).toBe(false);
  });

  it.each([
    ['select', 'SELECT * FROM t', { writes: false, changesSchema: false, usesVirtualTable: false }],
    ['select', 'SELECT * FROM generate_series(1, 2)', { writes: false, usesVirtualTable: true }],
    ['select', "SELECT nextval('s')", { writes: true, changesSchema: false }],
    ['select', "SELECT setval('s', 5)", { writes: true }],
    ['insert', 'INSERT INTO t VALUES (1)', { writes: true, changesSchema: false }],
    ['create', 'CREATE TABLE u (a)', { writes: true, changesSchema: true, changesTemporarySchema: false }],
    ['create', 'CREATE TEMP TABLE u (a)', { changesSchema: true, changesTemporarySchema: true }],
    ['alter', 'ALTER TABLE t RENAME TO u', { writes: true, changesSchema: true }],
  ])('says what %s does: %s', (verb, sql, expected) => {
    expect(readTursodbProgram(connection, verb, sql)).toMatchObject(expected);
  });

  it('finds a function behind a view', () => {
    connection.exec("CREATE VIEW v AS SELECT load_extension('x') AS x");
    expect(() => readTursodbProgram(connection, 'select', 'SELECT x FROM v')).toThrow(
      'load_extension() is not offered',
    );
  });
});
