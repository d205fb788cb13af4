import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ByocError, isByocError } from '../../errors/catalogue.js';
import { EngineError, type EngineConnection } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load-adapter.js';
import { defaultGateLimits } from './gate-limits.js';
import { SqlGate } from './gate.js';
import type { StatementPlan } from './statement-plan.js';

const caught = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe.each(['libsql', 'tursodb'] as const)('the SQL gate on %s', (engine) => {
  let directory: string;
  let connection: EngineConnection;
  let gate: SqlGate;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sql-gate-'));
    connection = (await loadAdapter(engine)).open(join(directory, 'db'), { maxPages: 10_000 });
    connection.exec(
      'CREATE TABLE t (a, b); CREATE TABLE k (id INTEGER PRIMARY KEY, t TEXT); CREATE VIEW v AS SELECT a FROM t',
    );
    gate = new SqlGate(engine);
  });
  afterEach(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  const quiet: Omit<StatementPlan, 'sql' | 'isReadOnly'> = {
    isExplain: false,
    parameters: [],
    transactionControl: null,
    changesSchema: false,
    changesSession: false,
  };

  it.each<[string, Partial<StatementPlan>]>([
    ['SELECT 1', { isReadOnly: true }],
    ['VALUES (1), (2)', { isReadOnly: true }],
    ['SELECT a FROM t ORDER BY b', { isReadOnly: true }],
    ['SELECT * FROM v', { isReadOnly: true }],
    ['WITH c AS (SELECT 1 AS x) SELECT x FROM c', { isReadOnly: true }],
    ["SELECT value FROM json_each('[1]')", { isReadOnly: true }],
    ["SELECT 'fsdir', 'pragma_database_list'", { isReadOnly: true }],
    ["SELECT count(*) FROM t WHERE a IN ('fsdir')", { isReadOnly: true }],
    ["INSERT INTO t VALUES ('fsdir', 'readfile(1)')", { isReadOnly: false }],
    ['WITH c AS (SELECT 1 AS x) INSERT INTO t SELECT x, x FROM c', { isReadOnly: false }],
    ['INSERT INTO t VALUES (1, 2) RETURNING a', { isReadOnly: false }],
    ['REPLACE INTO k VALUES (1, 2)', { isReadOnly: false }],
    ['UPDATE t SET a = 1', { isReadOnly: false }],
    ['DELETE FROM t', { isReadOnly: false }],
    ['CREATE TABLE n (a)', { isReadOnly: false, changesSchema: true }],
    ['CREATE TABLE IF NOT EXISTS t (a)', { isReadOnly: false, changesSchema: true }],
    ['CREATE TABLE n AS SELECT 1 AS x', { isReadOnly: false, changesSchema: true }],
    ['CREATE UNIQUE INDEX i ON t (a)', { isReadOnly: false, changesSchema: true }],
    ['CREATE VIEW w AS SELECT upper(a) FROM t', { isReadOnly: false, changesSchema: true }],
    ['CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM k; END', { isReadOnly: false, changesSchema: true }],
    ['CREATE TEMP TABLE n (a)', { isReadOnly: false, changesSchema: true, changesSession: true }],
    ['CREATE TABLE temp.n (a)', { isReadOnly: false, changesSchema: true, changesSession: true }],
    ['DROP TABLE t', { isReadOnly: false, changesSchema: true }],
    ['DROP TABLE IF EXISTS missing', { isReadOnly: false, changesSchema: true }],
    ['ALTER TABLE t ADD COLUMN c', { isReadOnly: false, changesSchema: true }],
    ['ALTER TABLE t RENAME TO u', { isReadOnly: false, changesSchema: true }],
    ['ALTER TABLE t RENAME COLUMN a TO c', { isReadOnly: false, changesSchema: true }],
    ['ALTER TABLE t DROP COLUMN b', { isReadOnly: false, changesSchema: true }],
    ['ANALYZE', { isReadOnly: false, changesSchema: true }],
    ['REINDEX', { isReadOnly: false }],
    ['EXPLAIN DELETE FROM t', { isReadOnly: true, isExplain: true }],
    ['EXPLAIN QUERY PLAN SELECT * FROM t', { isReadOnly: true, isExplain: true }],
    ['BEGIN', { isReadOnly: true, transactionControl: 'begin' }],
    ['begin deferred transaction', { isReadOnly: true, transactionControl: 'begin' }],
    ['BEGIN IMMEDIATE', { isReadOnly: false, transactionControl: 'begin-write' }],
    ['BEGIN /* now */ EXCLUSIVE TRANSACTION', { isReadOnly: false, transactionControl: 'begin-write' }],
    ['BEGIN TRANSACTION READONLY', { isReadOnly: true, transactionControl: 'begin-readonly' }],
    ['BEGIN READONLY', { isReadOnly: true, transactionControl: 'begin-readonly' }],
    ['COMMIT', { isReadOnly: true, transactionControl: 'commit' }],
    ['END TRANSACTION', { isReadOnly: true, transactionControl: 'commit' }],
    ['ROLLBACK', { isReadOnly: true, transactionControl: 'rollback' }],
    ['ROLLBACK TRANSACTION', { isReadOnly: true, transactionControl: 'rollback' }],
    ['ROLLBACK TO s', { isReadOnly: true, transactionControl: 'rollback-to' }],
    ['ROLLBACK TRANSACTION TO SAVEPOINT "s"', { isReadOnly: true, transactionControl: 'rollback-to' }],
    ['SAVEPOINT s', { isReadOnly: true, transactionControl: 'savepoint' }],
    ['RELEASE s', { isReadOnly: true, transactionControl: 'release' }],
    ['RELEASE SAVEPOINT s', { isReadOnly: true, transactionControl: 'release' }],
    ['EXPLAIN BEGIN IMMEDIATE', { isReadOnly: true, isExplain: true }],
    ['PRAGMA table_info(t)', { isReadOnly: true }],
    ["PRAGMA main.table_xinfo('t')", { isReadOnly: true }],
    ['PRAGMA journal_mode', { isReadOnly: true }],
    ['PRAGMA user_version', { isReadOnly: true }],
    ['PRAGMA user_version = 7', { isReadOnly: false }],
    ['PRAGMA application_id(-7)', { isReadOnly: false }],
    ['PRAGMA foreign_keys = ON', { isReadOnly: true, changesSession: true }],
    ['PRAGMA "main".[defer_foreign_keys] = \'on\'', { isReadOnly: true, changesSession: true }],
    ['PRAGMA integrity_check(5)', { isReadOnly: true }],
    ['PRAGMA optimize', { isReadOnly: false, changesSchema: true }],
    ['EXPLAIN PRAGMA table_info(t)', { isReadOnly: true, isExplain: true }],
    ['INSERT INTO "optimize" (a) VALUES (1)', { isReadOnly: false }],
  ])('plans %s', (sql, expected) => {
    if (sql.includes('"optimize"')) connection.exec('CREATE TABLE "optimize" (a)');
    const { takesEffectWhenCompiled: _compiledLater, ...plan } = gate.plan(sql, connection);
    expect(plan).toEqual({ ...quiet, sql, ...expected });
  });

  it('knows what libSQL would carry out while it compiles it', () => {
    const takesEffect = ['DROP TABLE t', 'DROP INDEX i', 'CREATE INDEX n ON t (libsql_vector_idx(a))'];
    if (engine === 'libsql') {
      for (const sql of takesEffect) {
        expect(gate.plan(sql, connection).takesEffectWhenCompiled).toBe(true);
        expect(() => gate.plan(`EXPLAIN ${sql}`, connection)).toThrow(/would take effect/);
      }
    }
    expect(gate.plan('CREATE INDEX n ON t (a)', connection).takesEffectWhenCompiled).toBeUndefined();
    expect(gate.plan('DELETE FROM t', connection).takesEffectWhenCompiled).toBeUndefined();
  });

  it.each<[string, (string | null)[]]>([
    ['SELECT ?, ?', [null, null]],
    ['SELECT ?3, ?', [null, null, '?3', null]],
    ['SELECT :a, @a, $a, :a', [':a', '@a', '$a']],
    ['SELECT ?2, :a, ?', [null, '?2', ':a', null]],
    ['SELECT \'?\', "a", [?] /* ? */ FROM (SELECT 1 AS a, 2 AS "?") -- ?', []],
    ['INSERT INTO t VALUES (:a, ?)', [':a', null]],
    ['EXPLAIN SELECT :a', [':a']],
  ])('numbers the parameters of %s', (sql, expected) => {
    expect(gate.plan(sql, connection).parameters).toEqual(expected);
  });

  it('gives the statement without what surrounds it', () => {
    expect(gate.plan(' -- first\n SELECT 1 /* one */ ; ; -- end', connection).sql).toBe('SELECT 1');
  });

  it.each<[string, string, string | RegExp]>([
    ['', 'SQL_NO_STATEMENT', /no statement/],
    ['; -- nothing', 'SQL_NO_STATEMENT', /no statement/],
    ['SELECT 1; SELECT 2', 'SQL_MANY_STATEMENTS', /more than one/],
    ['SELEC 1', 'SQL_PARSE_ERROR', 'near "SELEC": syntax error'],
    ['SELECT * FRO', 'SQL_PARSE_ERROR', 'near "FRO": syntax error'],
    ['SELECT', 'SQL_PARSE_ERROR', 'incomplete input'],
    ['BEGIN SOMETIMES', 'SQL_PARSE_ERROR', /SOMETIMES/],
    ['COMMIT NOW', 'SQL_PARSE_ERROR', /NOW/],
    ['PRAGMA', 'SQL_PARSE_ERROR', 'incomplete input'],
    ['PRAGMA user_version = ', 'SQL_PARSE_ERROR', 'incomplete input'],
    ['PRAGMA user_version = 1 2', 'SQL_PARSE_ERROR', 'near "2": syntax error'],
    ['PRAGMA journal_mode = delete', 'SQL_REFUSED', 'PRAGMA journal_mode may be read but not set'],
    ['PRAGMA wal_checkpoint', 'SQL_REFUSED', 'PRAGMA wal_checkpoint is not offered'],
    ["ATTACH 'x' AS y", 'SQL_REFUSED', /ATTACH is not offered/],
    ['VACUUM', 'SQL_REFUSED', /VACUUM is not offered/],
    ["SELECT readfile('x')", 'SQL_REFUSED', 'the function readfile() is not offered'],
    ['SELECT * FROM fsdir', 'SQL_REFUSED', 'the table "fsdir" is not offered'],
    ['CREATE VIRTUAL TABLE f USING csv(1)', 'SQL_REFUSED', /"csv" is not offered/],
    ['SELECT "a\0b"', 'SQL_INPUT_ERROR', /NUL/],
  ])('answers %j with %s', (sql, code, message) => {
    const error = caught(() => gate.plan(sql, connection));
    expect(error).toBeInstanceOf(ByocError);
    expect((error as ByocError).code).toBe(code);
    if (typeof message === 'string') expect((error as ByocError).message).toBe(message);
    else expect((error as ByocError).message).toMatch(message);
  });

  it.each([
    ['SELECT * FROM missing', 'no such table: missing'],
    ['SELECT missing FROM t', 'no such column: missing'],
    ['SELECT missing(1)', 'no such function: missing'],
    ['INSERT INTO t VALUES (1)', 'table t has 2 columns but 1 values were supplied'],
  ])('passes on what the engine says of %s', (sql, message) => {
    const error = caught(() => gate.plan(sql, connection));
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ code: 'SQLITE_ERROR', message });
  });

  it('refuses texts beyond its limits', () => {
    const small = new SqlGate(engine, {
      ...defaultGateLimits,
      maxSqlBytes: 20,
      maxDepth: 2,
      maxCompoundArms: 1,
      maxParameters: 2,
    });
    for (const sql of [`SELECT '${'é'.repeat(10)}'`, 'SELECT (((1)))', 'SELECT ?3', 'SELECT ?,?,?']) {
      expect(caught(() => small.plan(sql, connection))).toMatchObject({ code: 'SQL_INPUT_ERROR' });
    }
    expect(caught(() => small.split('x'.repeat(21)))).toMatchObject({ code: 'SQL_INPUT_ERROR' });
    expect(small.plan('SELECT ((?)), ?', connection).parameters).toEqual([null, null]);
  });

  it('keeps plans until the schema changed', () => {
    const first = gate.plan('SELECT a FROM t', connection);
    expect(gate.plan('SELECT a FROM t', connection)).toBe(first);
    gate.invalidate();
    connection.exec('DROP TABLE t');
    expect(caught(() => gate.plan('SELECT a FROM t', connection))).toMatchObject({ message: 'no such table: t' });
  });

  it('does not show where the database lies', () => {
    const plan = gate.plan('PRAGMA database_list', connection);
    expect(plan.isReadOnly).toBe(true);
    const statement = connection.prepare(plan.sql);
    expect(statement.columns().map(({ name }) => name)).toEqual(['seq', 'name', 'file']);
    expect([...statement.rows([])][0]).toEqual([0n, 'main', '']);
  });

  it('leaves no statement behind that keeps others from committing', () => {
    for (const sql of ['INSERT INTO t VALUES (1, 2)', 'CREATE TABLE n (a)', "SELECT 1 WHERE 'fsdir' IN ('fsdir')"])
      gate.plan(sql, connection);
    connection.exec('BEGIN; INSERT INTO t VALUES (1, 2); COMMIT');
    expect(connection.inTransaction).toBe(false);
  });

  it('throws errors with a code only, whatever it is given', () => {
    const word = fc.constantFrom(
      ...[
        'select',
        'pragma',
        'create',
        'trigger',
        'begin',
        'end',
        'explain',
        'with',
        'as',
        'from',
        't',
        'a',
        '(',
        ')',
        ';',
        ',',
        '.',
        '=',
      ],
      ...[
        '*',
        "'x",
        "'x'",
        '"',
        '[',
        '?',
        '?9',
        ':p',
        '--',
        '/*',
        '\0',
        '1',
        'union',
        'insert',
        'into',
        'values',
        'readfile',
        'fsdir',
      ],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) => {
        const error = caught(() => gate.plan(words.join(' '), connection));
        expect(error === undefined || isByocError(error) || error instanceof EngineError).toBe(true);
        expect(caught(() => [...gate.split(words.join(' '))]) ?? new ByocError('SQL_INPUT_ERROR', '')).toMatchObject({
          code: 'SQL_INPUT_ERROR',
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('what only one engine has', () => {
  let directory: string;
  const open = async (engine: 'libsql' | 'tursodb'): Promise<EngineConnection> =>
    (await loadAdapter(engine)).open(join(directory, engine), { maxPages: 10_000 });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sql-gate-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('lets libSQL have vectors, full-text search and R*Trees', async () => {
    const connection = await open('libsql');
    const gate = new SqlGate('libsql');
    for (const sql of [
      'CREATE TABLE v (id INTEGER PRIMARY KEY, e F32_BLOB(2))',
      'CREATE INDEX "vi" ON v (libsql_vector_idx(e, \'metric=cosine\'))',
      "INSERT INTO v VALUES (1, vector32('[1,2]'))",
      "SELECT id FROM vector_top_k('vi', vector32('[1,2]'), 1)",
      "CREATE VIRTUAL TABLE f USING fts5(a, content='', tokenize = 'porter unicode61')",
      'CREATE VIRTUAL TABLE IF NOT EXISTS main.f4 USING fts4(a, prefix="2,3")',
      "SELECT highlight(f, 0, '<', '>'), bm25(f) FROM f('hello') ORDER BY rank",
      'CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)',
      'ALTER TABLE v ALTER COLUMN e TO e F32_BLOB(2) NOT NULL',
      'SELECT * FROM dbstat',
    ]) {
      const plan = gate.plan(sql, connection);
      connection.prepare(plan.sql).run([]);
      if (plan.changesSchema) gate.invalidate();
    }
    connection.close();
  });

  it('counts a SELECT that moves a sequence of the Turso engine as a write', async () => {
    const connection = await open('tursodb');
    connection.exec('CREATE SEQUENCE s');
    expect(new SqlGate('tursodb').plan("SELECT nextval('s')", connection).isReadOnly).toBe(false);
    connection.close();
  });

  it('lets the Turso engine capture changes', async () => {
    const connection = await open('tursodb');
    const plan = new SqlGate('tursodb').plan("PRAGMA capture_data_changes_conn('full')", connection);
    expect(plan).toMatchObject({ isReadOnly: false, changesSchema: true, changesSession: true });
    connection.prepare(plan.sql).run([]);
    connection.close();
  });
});
