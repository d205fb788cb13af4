import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError, type EngineAdapter, type EngineConnection, type SqlValue } from './adapter.js';
import { loadAdapter } from './load-adapter.js';

const thrown = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe.each(['libsql', 'tursodb'] as const)('the %s adapter', (engine) => {
  let directory: string;
  let path: string;
  let adapter: EngineAdapter;
  let connection: EngineConnection;
  const opened: EngineConnection[] = [];

  const open = (maxPages = 10_000): EngineConnection => {
    const one = adapter.open(path, { maxPages });
    opened.push(one);
    return one;
  };
  const rows = (sql: string, parameters: SqlValue[] = [], on = connection): SqlValue[][] => [
    ...on.prepare(sql).rows(parameters),
  ];
  const run = (sql: string, parameters: SqlValue[] = [], on = connection) => on.prepare(sql).run(parameters);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'adapter-'));
    path = join(directory, 'db');
    adapter = await loadAdapter(engine);
    connection = open();
    run('CREATE TABLE t (a, b)');
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
    rmSync(directory, { recursive: true });
  });

  it('opens with the settings that every connection has', () => {
    const read = (name: string): SqlValue | undefined => rows(`PRAGMA ${name}`)[0]?.[0];
    expect(read('journal_mode')).toBe('wal');
    expect(read('synchronous')).toBe(0n);
    expect(read('temp_store')).toBe(2n);
    // The Turso engine takes 200 pages as the least.
    expect(read('cache_size')).toBe(engine === 'libsql' ? -256n : 200n);
    expect(read('busy_timeout')).toBe(0n);
    expect(read('foreign_keys')).toBe(engine === 'libsql' ? 1n : 0n);
    if (engine === 'libsql') {
      expect(read('wal_autocheckpoint')).toBe(0n);
      expect(read('trusted_schema')).toBe(0n);
    }
  });

  it.each<[string, SqlValue, string]>([
    ['NULL', null, 'null'],
    ['an integer', 5n, 'integer'],
    ['the largest integer', 2n ** 63n - 1n, 'integer'],
    ['the smallest integer', -(2n ** 63n), 'integer'],
    ['a fraction', 1.5, 'real'],
    ['a whole number that is REAL', 1, 'real'],
    ['a large whole number that is REAL', 2 ** 60, 'real'],
    ['a whole number at the end of 64 bits', 2 ** 63, 'real'],
    ['a huge number', 1e300, 'real'],
    ['text', 'häß', 'text'],
    ['empty text', '', 'text'],
    ['a blob', Uint8Array.of(0, 255, 1), 'blob'],
    ['an empty blob', new Uint8Array(0), 'blob'],
  ])('keeps %s as it is', (_name, value, type) => {
    const [row] = rows('SELECT ?1, typeof(?1)', [value]);
    expect(row?.[1]).toBe(type);
    const [read] = row ?? [];
    expect(read instanceof Uint8Array ? Uint8Array.from(read) : read).toEqual(value);
    run('INSERT INTO t (a) VALUES (?)', [value]);
    const [stored] = rows('SELECT a, typeof(a) FROM t');
    expect(stored?.[1]).toBe(type);
  });

  it('stores text with NUL; the libSQL binding reads it up to there', () => {
    run('INSERT INTO t (a) VALUES (?)', ['a\0b']);
    expect(rows('SELECT hex(a), a FROM t')).toEqual([['610062', engine === 'libsql' ? 'a' : 'a\0b']]);
  });

  it('refuses an integer that does not fit 64 bits', () => {
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
      expect(thrown(() => rows('SELECT ?', [value]))).toMatchObject({ code: 'SQLITE_MISMATCH' });
    }
  });

  it('treats a REAL parameter as SQLite does everywhere', () => {
    connection.exec(
      'CREATE TABLE x (id INTEGER PRIMARY KEY, t TEXT, i INTEGER, r REAL, n); CREATE INDEX xi ON x (i); CREATE INDEX xt ON x (t)',
    );
    run('INSERT INTO x VALUES (?, ?, ?, ?, ?)', [1, 1, 1, 1, 1]);
    expect(rows('SELECT id, t, i, r, n FROM x')).toEqual([[1n, '1.0', 1n, 1, 1]]);
    expect(rows('SELECT 3 / ?, ? / 2, typeof(-?)', [2, 3, 1])).toEqual([[1.5, 1.5, 'real']]);
    for (const [where, found] of [
      ['id = ?', 1n],
      ['t = ?', 1n],
      ['i = ?', 1n],
      ['n = ?', 1n],
      ['? = i', 1n],
      ['i IN (?, 7)', 1n],
      ['i BETWEEN ? AND 2', 1n],
      ["'1' = ?", 0n],
      ["'1.0' = ?", 0n],
      ["t || ? = '1.01.0'", 1n],
    ] as const) {
      expect([where, rows(`SELECT count(*) FROM x WHERE ${where}`, [1])]).toEqual([where, [[found]]]);
    }
    expect(rows('SELECT id FROM x LIMIT ?', [1])).toEqual([[1n]]);
    expect(rows('SELECT :a, :a + ?, @b', [2, 1n, 'x'])).toEqual([[2, 3, 'x']]);
    expect(connection.prepare('SELECT ?').columns()).toEqual([{ name: '?', declaredType: null }]);
  });

  it('takes missing parameters as NULL, also after a run that had them, and ignores too many', () => {
    const statement = connection.prepare('SELECT ?, ?');
    expect([...statement.rows([1n, 2n])]).toEqual([[1n, 2n]]);
    expect([...statement.rows([1n])]).toEqual([[1n, null]]);
    expect([...statement.rows([1n, 2n, 3n])]).toEqual([[1n, 2n]]);
  });

  it('counts the changes of the statement itself', () => {
    expect(run('INSERT INTO t VALUES (1, 1), (2, 2)')).toEqual({ changes: 2, lastInsertRowid: 2n });
    expect(run('UPDATE t SET b = 3')).toMatchObject({ changes: 2 });
    expect(run('CREATE TABLE u (a)')).toMatchObject({ changes: 0 });
    expect(run('BEGIN')).toMatchObject({ changes: 0 });
    expect(run('COMMIT')).toMatchObject({ changes: 0 });
    expect(run('SELECT 1')).toMatchObject({ changes: 0 });
    expect(run('DELETE FROM t WHERE a = 7')).toMatchObject({ changes: 0 });
    expect(run('WITH c AS (SELECT 9 AS x) INSERT INTO t SELECT x, x FROM c')).toMatchObject({ changes: 1 });
    expect(rows('INSERT INTO t VALUES (5, 5), (6, 6) RETURNING a')).toEqual([[5n], [6n]]);
    expect(connection.lastChange()).toMatchObject({ changes: 2 });
    expect(run('UPDATE t SET b = 1 WHERE a = 5 RETURNING b')).toMatchObject({ changes: 1 });
    rows('SELECT * FROM t');
    expect(connection.lastChange()).toMatchObject({ changes: 0 });
  });

  it('gives rowids beyond what a double can hold', () => {
    run('CREATE TABLE big (id INTEGER PRIMARY KEY)');
    expect(run('INSERT INTO big VALUES (9223372036854775806)').lastInsertRowid).toBe(9223372036854775806n);
  });

  it('knows the columns, also after the schema changed', () => {
    run('CREATE TABLE c (i INTEGER, v VARCHAR(10), n)');
    const statement = connection.prepare('SELECT *, i + 1 AS sum FROM c');
    const types = (): [string, string | null][] =>
      statement.columns().map(({ name, declaredType }) => [name, declaredType?.toUpperCase() ?? null]);
    expect(types()).toEqual([
      ['i', 'INTEGER'],
      ['v', engine === 'libsql' ? 'VARCHAR(10)' : 'TEXT'],
      ['n', null],
      ['sum', null],
    ]);
    run('ALTER TABLE c ADD COLUMN x TEXT', [], open());
    expect(types().map(([name]) => name)).toEqual(['i', 'v', 'n', 'x', 'sum']);
    run('INSERT INTO c VALUES (1, 2, 3, 4)');
    expect([...statement.rows([])]).toEqual([[1n, '2', 3n, '4', 2n]]);
    expect(connection.prepare('DELETE FROM c').columns()).toEqual([]);
  });

  it('gives rows lazily and as many as there are', () => {
    run('INSERT INTO t SELECT value, NULL FROM generate_series(1, 1000)');
    const iterator = connection.prepare('SELECT a FROM t ORDER BY a').rows([]);
    expect(iterator.next()).toEqual({ done: false, value: [1n] });
    expect([...iterator].length).toBe(999);
    expect(iterator.next().done).toBe(true);
    expect(rows('SELECT a FROM t WHERE a <= 100')).toHaveLength(100);
    expect(rows('SELECT a FROM t WHERE a < 0')).toEqual([]);
    expect([...connection.prepare('DELETE FROM t').rows([])]).toEqual([]);
    expect(rows('SELECT count(*) FROM t')).toEqual([[0n]]);
  });

  it('does not compute rows that nobody takes', () => {
    for (const row of connection.prepare('SELECT value FROM generate_series(1, 9223372036854775807)').rows([])) {
      if (row[0] === 500n) break;
    }
    expect(rows('SELECT 1')).toEqual([[1n]]);
  });

  describe('a statement that is left half-way', () => {
    beforeEach(() => {
      run('INSERT INTO t SELECT value, NULL FROM generate_series(1, 1000)');
    });
    const leave = (sql: string): void => {
      for (const row of connection.prepare(sql).rows([])) if (row.length > 0) break;
    };

    it('does not pin its snapshot', () => {
      const other = open();
      leave('SELECT a FROM t');
      run('INSERT INTO t VALUES (-1, -1)', [], other);
      expect(rows('SELECT count(*) FROM t WHERE a = -1')).toEqual([[1n]]);
      run('INSERT INTO t VALUES (-2, -2)');
      expect(adapter.checkpoint(other)).toBe(true);
    });

    it('does not disturb the transaction around it', () => {
      run('BEGIN IMMEDIATE');
      run('INSERT INTO t VALUES (-1, -1)');
      leave('SELECT a FROM t');
      leave('EXPLAIN INSERT INTO t VALUES (1, 1)');
      expect(connection.inTransaction).toBe(true);
      run('COMMIT');
      expect(rows('SELECT count(*) FROM t', [], open())).toEqual([[1001n]]);
    });

    it('has done all its writing', () => {
      leave('INSERT INTO t SELECT a, b FROM t RETURNING a');
      expect(rows('SELECT count(*) FROM t', [], open())).toEqual([[2000n]]);
    });

    it('reports what the end of its writing brings', () => {
      connection.exec(
        'PRAGMA foreign_keys = on; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)',
      );
      const error = thrown(() => leave('INSERT INTO c VALUES (1), (2) RETURNING p'));
      expect(error).toMatchObject({ code: 'SQLITE_CONSTRAINT' });
      expect(rows('SELECT count(*) FROM c', [], open())).toEqual([[0n]]);
    });

    it('leaves another one alone', () => {
      const iterator = connection.prepare('SELECT a FROM t ORDER BY a').rows([]);
      iterator.next();
      leave('SELECT b FROM t');
      expect([...iterator]).toHaveLength(999);
    });

    it('can run again', () => {
      const statement = connection.prepare('SELECT a FROM t ORDER BY a');
      for (let round = 0; round < 3; round += 1) for (const row of statement.rows([])) if (row[0] === 5n) break;
      expect([...statement.rows([])]).toHaveLength(1000);
    });

    it('does not keep a connection from closing', () => {
      connection.prepare('SELECT a FROM t').rows([]).next();
      connection.close();
      expect(adapter.checkpoint(open())).toBe(true);
    });
  });

  it('lets writes commit after an EXPLAIN of a write', () => {
    expect(rows('EXPLAIN INSERT INTO t VALUES (1, 1)').length).toBeGreaterThan(0);
    run('INSERT INTO t VALUES (1, 1)');
    expect(rows('SELECT count(*) FROM t', [], open())).toEqual([[1n]]);
    run('BEGIN');
    run('COMMIT');
  });

  it('survives a schema change after a table-valued PRAGMA and after failed statements', () => {
    rows("SELECT * FROM pragma_table_info('t')");
    thrown(() => rows('SELECT abs(-9223372036854775808)'));
    run('CREATE TABLE u (a)');
    run('CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END');
    run('INSERT INTO t VALUES (1, 1)');
    expect(rows('SELECT * FROM u')).toEqual([[1n]]);
  });

  it('folds the log into the file and truncates it', () => {
    run('INSERT INTO t VALUES (1, 1)');
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    expect(adapter.checkpoint(connection)).toBe(true);
    expect(statSync(`${path}-wal`).size).toBe(0);
    expect(rows('SELECT * FROM t')).toEqual([[1n, 1n]]);
  });

  it('says so when a reader keeps it from truncating', () => {
    run('INSERT INTO t VALUES (1, 1)');
    const reader = open();
    run('BEGIN', [], reader);
    rows('SELECT * FROM t', [], reader);
    run('INSERT INTO t VALUES (2, 2)');
    expect(adapter.checkpoint(connection)).toBe(false);
    run('COMMIT', [], reader);
    expect(adapter.checkpoint(connection)).toBe(true);
    expect(rows('SELECT count(*) FROM t')).toEqual([[2n]]);
  });

  it.each<[string, string, string | undefined, string]>([
    ['INSERT INTO e (u) VALUES (1)', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_UNIQUE', 'UNIQUE constraint failed: e.u'],
    [
      'INSERT INTO e (n) VALUES (NULL)',
      'SQLITE_CONSTRAINT',
      'SQLITE_CONSTRAINT_NOTNULL',
      'NOT NULL constraint failed: e.n',
    ],
    ['INSERT INTO e (c) VALUES (0)', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_CHECK', 'CHECK constraint failed: c > 0'],
    [
      'INSERT INTO e (f) VALUES (9)',
      'SQLITE_CONSTRAINT',
      'SQLITE_CONSTRAINT_FOREIGNKEY',
      'FOREIGN KEY constraint failed',
    ],
    ["INSERT INTO s VALUES ('x')", 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_DATATYPE', 'cannot store TEXT value in'],
    ['SELECT missing FROM t', 'SQLITE_ERROR', undefined, 'no such column: missing'],
    ['SELECT * FROM missing', 'SQLITE_ERROR', undefined, 'no such table: missing'],
    ['SELEC 1', 'SQLITE_ERROR', undefined, 'near "SELEC": syntax error'],
    ["INSERT INTO p VALUES ('x')", 'SQLITE_MISMATCH', undefined, 'datatype mismatch'],
    ['SELECT abs(-9223372036854775808)', 'SQLITE_ERROR', undefined, 'integer overflow'],
    ['SELECT zeroblob(2000000000)', 'SQLITE_TOOBIG', undefined, 'string or blob too big'],
    ['COMMIT', 'SQLITE_ERROR', undefined, 'cannot commit - no transaction is active'],
  ])('reports %s', (sql, code, extendedCode, message) => {
    connection.exec(
      'PRAGMA foreign_keys = on; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE s (a INTEGER) STRICT; ' +
        'CREATE TABLE e (u UNIQUE, n NOT NULL DEFAULT 1, c CHECK (c > 0), f REFERENCES p (id)); INSERT INTO e (u) VALUES (1)',
    );
    const error = thrown(() => rows(sql));
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ code, extendedCode, poisonsDatabase: false });
    expect((error as EngineError).message).toContain(message);
  });

  it('reports a locked database at once', () => {
    run('BEGIN IMMEDIATE');
    const other = open();
    expect(thrown(() => run('INSERT INTO t VALUES (1, 1)', [], other))).toMatchObject({
      code: 'SQLITE_BUSY',
      poisonsDatabase: false,
    });
    run('ROLLBACK');
  });

  it('reports a stale snapshot', () => {
    run('INSERT INTO t VALUES (1, 1)');
    run('BEGIN');
    rows('SELECT * FROM t');
    run('INSERT INTO t VALUES (2, 2)', [], open());
    expect(thrown(() => run('INSERT INTO t VALUES (3, 3)'))).toMatchObject({
      code: 'SQLITE_BUSY',
      extendedCode: 'SQLITE_BUSY_SNAPSHOT',
    });
    run('ROLLBACK');
  });

  it('holds the database to its size without poisoning it', () => {
    const small = open(10);
    const error = thrown(() => run('INSERT INTO t VALUES (zeroblob(100000), 1)', [], small));
    expect(error).toMatchObject({ code: 'SQLITE_FULL', message: 'database or disk is full', poisonsDatabase: false });
    expect(rows('SELECT count(*) FROM t', [], small)).toEqual([[0n]]);
  });

  it('poisons a database whose file is no database', () => {
    const bad = join(directory, 'bad');
    writeFileSync(bad, 'x'.repeat(8192));
    const error = thrown(() => rows('SELECT * FROM sqlite_schema', [], adapter.open(bad, { maxPages: 100 })));
    expect(error).toMatchObject({ code: 'SQLITE_NOTADB', message: 'file is not a database', poisonsDatabase: true });
  });

  it('does not say where a file lies that it cannot open', () => {
    const error = thrown(() => adapter.open(join(directory, 'no', 'such', 'folder'), { maxPages: 100 }));
    expect(error).toMatchObject({ code: 'SQLITE_CANTOPEN', poisonsDatabase: true });
    expect((error as Error).message).not.toContain(directory);
  });

  it('refuses to work after it was closed', () => {
    connection.close();
    connection.close();
    expect(thrown(() => connection.prepare('SELECT 1'))).toMatchObject({ code: 'SQLITE_MISUSE' });
  });
});
