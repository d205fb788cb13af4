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

  const manyRows = (row: string): string => `INSERT INTO t VALUES ${Array.from({ length: 32_766 }, () => row).join()}`;

  it.each([
    ['rows', manyRows('(?)'), { writes: true, changesSchema: false }],
    ['elements', `SELECT a FROM t WHERE a IN (${manyRows('?').slice(21)})`, { writes: false }],
  ])('reads a statement with as many %s as it may have parameters', (_what, sql, expected) => {
    expect(readTursodbProgram(connection, sql.slice(0, 6).toLowerCase(), sql)).toMatchObject(expected);
  });

  it('finds a function behind ten thousand rows and in a trigger', () => {
    connection.exec("CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('x'); END");
    expect(() => readTursodbProgram(connection, 'insert', manyRows('(1)'))).toThrow('load_extension() is not offered');
    connection.exec('DROP TRIGGER g');
    const hidden = manyRows('(1)').replace(/\(1\)$/u, "(load_extension('x'))");
    expect(() => readTursodbProgram(connection, 'insert', hidden)).toThrow('load_extension() is not offered');
  });

  it('refuses by name what takes too long to read', () => {
    expect(() => readTursodbProgram(connection, 'insert', manyRows('(abs(1))'))).toThrow(
      expect.objectContaining({ code: 'SQL_INPUT_ERROR', message: expect.stringContaining('20000 instructions') }),
    );
  });

  it('finds a function behind a view', () => {
    connection.exec("CREATE VIEW v AS SELECT load_extension('x') AS x");
    expect(() => readTursodbProgram(connection, 'select', 'SELECT x FROM v')).toThrow(
      'load_extension() is not offered',
    );
  });
});
