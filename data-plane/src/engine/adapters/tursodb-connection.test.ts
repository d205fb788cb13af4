import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineConnection } from './adapter.js';
import { needsSession } from './session-state.js';
import { tursodbAdapter } from './tursodb.js';

/** More than the number of prepared statements after which a connection is exchanged. */
const many = 5_100;

describe('a worn connection of the Turso engine', () => {
  let directory: string;
  let connection: EngineConnection;
  const wear = (): void => {
    for (let index = 0; index < many; index += 1) connection.prepare('SELECT 1');
  };
  const one = (sql: string): unknown => [...connection.prepare(sql).rows([])][0]?.[0];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tursodb-'));
    connection = tursodbAdapter.open(join(directory, 'db'), { maxPages: 100 });
    connection.prepare('CREATE TABLE t (id INTEGER PRIMARY KEY, a)').run([]);
  });
  afterEach(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  it('is exchanged without losing statements, data or limits', () => {
    const statement = connection.prepare('INSERT INTO t (a) VALUES (?)');
    statement.run([1]);
    wear();
    connection.prepare('INSERT INTO t (a) VALUES (2)').run([]);
    expect(statement.run([3])).toEqual({ changes: 1, lastInsertRowid: 3n });
    expect(one('SELECT count(*) FROM t')).toBe(3n);
    expect(() => connection.prepare('INSERT INTO t (a) VALUES (zeroblob(1000000))').run([])).toThrow('full');
  });

  it('keeps last_insert_rowid() for whoever may ask', () => {
    connection.prepare('INSERT INTO t VALUES (77, 1)').run([]);
    wear();
    expect(one('SELECT last_insert_rowid()')).toBe(77n);
  });

  it('is kept while it has TEMP objects', () => {
    connection.prepare('CREATE TEMP TABLE mine (a)').run([]);
    wear();
    connection.prepare('INSERT INTO t (a) VALUES (2)').run([]);
    expect(one('SELECT count(*) FROM mine')).toBe(0n);
  });

  it('is kept while a transaction is open', () => {
    connection.prepare('BEGIN IMMEDIATE').run([]);
    connection.prepare('INSERT INTO t (a) VALUES (1)').run([]);
    wear();
    connection.prepare('INSERT INTO t (a) VALUES (2)').run([]);
    expect(connection.inTransaction).toBe(true);
    connection.prepare('COMMIT').run([]);
    expect(one('SELECT count(*) FROM t')).toBe(2n);
  });
});

describe('the need for a session', () => {
  it.each([
    ['CREATE TEMP TABLE x (a)', true],
    ['create /* c */ "temporary" view x as select 1', true],
    ['CREATE TABLE temp.x (a)', true],
    ["SELECT currval('s')", true],
    ['PRAGMA foreign_keys = on', true],
    ['PRAGMA \'main\'."foreign_keys" = on', true],
    ["PRAGMA capture_data_changes_conn('full')", true],
    ['PRAGMA table_info(t)', false],
    ['SELECT temp, foreign_keys FROM t', false],
    ['SELECT last_insert_rowid()', false],
    ["INSERT INTO t VALUES ('create temp table')", false],
  ])('of %s is %s', (sql, expected) => {
    expect(needsSession(sql)).toBe(expected);
  });
});
