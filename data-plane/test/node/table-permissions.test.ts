/** Tokens that are limited to actions on tables: what they may do, and every way in which they may not. */
import { createClient } from '@libsql/client';
import type { TablePermission } from '@turso-byoc/data-plane/auth/table-permissions.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { sqlWays } from '../support/sql-ways.js';

const schema = [
  'CREATE TABLE pub (id INTEGER PRIMARY KEY, x)',
  'CREATE TABLE secret (id INTEGER PRIMARY KEY, s TEXT)',
  'CREATE TABLE log (z)',
  'CREATE TABLE parent (id INTEGER PRIMARY KEY)',
  'CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent(id) ON DELETE CASCADE)',
  'CREATE VIEW shown AS SELECT * FROM secret',
  'CREATE VIEW through AS SELECT * FROM shown',
  'CREATE TABLE watched (x)',
  'CREATE TRIGGER watch AFTER INSERT ON watched BEGIN INSERT INTO log SELECT s FROM secret; END',
  'CREATE INDEX secret_s ON secret (s)',
  "INSERT INTO secret VALUES (1, 'hidden')",
  'INSERT INTO pub VALUES (1, 1)',
  'INSERT INTO parent VALUES (1)',
  'INSERT INTO child VALUES (1, 1)',
];

const entry = (t: string[] | null, ...a: TablePermission['a']): TablePermission => ({ t, a });
const allOf = (table: string): TablePermission =>
  entry([table], 'data_read', 'data_add', 'data_update', 'data_delete', 'schema_add', 'schema_update', 'schema_delete');
const reader = [entry(['pub'], 'data_read')];
const owner = [allOf('pub')];
const adder = [entry(['pub', 'watched', 'child'], 'data_add')];
const maker = [entry(null, 'schema_add', 'schema_update', 'schema_delete')];

/** What is permitted: under these permissions, these statements work. */
const permitted: [string, TablePermission[], string[]][] = [
  [
    'reading one table',
    reader,
    [
      'SELECT * FROM pub',
      'SELECT count(*) FROM PUB AS p',
      'WITH c AS (SELECT x FROM pub) SELECT * FROM c',
      "SELECT value FROM json_each('[1]')",
      'SELECT 1',
      'SELECT name FROM sqlite_schema',
      'SELECT sql FROM sqlite_master',
      'PRAGMA table_info(pub)',
      'PRAGMA table_list',
      'EXPLAIN QUERY PLAN SELECT * FROM pub',
      'BEGIN',
    ],
  ],
  [
    'everything with one table',
    owner,
    [
      'INSERT INTO pub VALUES (7, 7) RETURNING id',
      'INSERT INTO pub VALUES (7, 8) ON CONFLICT (id) DO UPDATE SET x = excluded.x',
      'UPDATE pub SET x = x + 1 WHERE id = 7',
      'DELETE FROM pub WHERE id = 7',
      'CREATE INDEX pub_x ON pub (x)',
      'DROP INDEX pub_x',
      'ALTER TABLE pub ADD COLUMN y',
      'ALTER TABLE pub DROP COLUMN y',
      'BEGIN IMMEDIATE',
    ],
  ],
  ['adding only', adder, ['INSERT INTO pub VALUES (20, 1)']],
  ['changing the schema only', maker, ['CREATE TABLE mine (a)', 'ALTER TABLE mine ADD COLUMN b', 'DROP TABLE mine']],
  [
    'reading everything',
    [entry(null, 'data_read')],
    ['SELECT * FROM through', 'SELECT * FROM secret', 'PRAGMA integrity_check'],
  ],
];

/** What is not: under these permissions, each of these statements is refused. */
const forbidden: [string, TablePermission[], string[]][] = [
  [
    'another table, wherever it stands',
    reader,
    [
      'SELECT * FROM secret',
      'SELECT count(*) FROM secret',
      'SELECT 1 FROM secret',
      'SELECT * FROM "SECRET"',
      'SELECT * FROM [secret]',
      'SELECT * FROM main.secret',
      'SELECT * FROM shown',
      'SELECT * FROM through',
      'SELECT (SELECT s FROM secret) FROM pub',
      'SELECT * FROM pub WHERE EXISTS (SELECT 1 FROM secret)',
      'SELECT * FROM pub WHERE x IN (SELECT s FROM secret)',
      'SELECT * FROM pub LEFT JOIN secret ON 0',
      'SELECT x FROM pub UNION ALL SELECT s FROM secret',
      'WITH pub AS (SELECT * FROM secret) SELECT * FROM pub',
      'SELECT * FROM pub ORDER BY (SELECT s FROM secret)',
      'SELECT * FROM (SELECT * FROM (SELECT s FROM secret))',
      'EXPLAIN SELECT * FROM secret',
      'EXPLAIN QUERY PLAN SELECT * FROM secret',
      'PRAGMA integrity_check',
      'PRAGMA foreign_key_check',
      'PRAGMA quick_check(secret)',
      '/* */ SELECT/**/*/**/FROM/**/secret',
      'VALUES ((SELECT s FROM secret))',
    ],
  ],
  [
    'moving a sequence, which numbers rows of any table',
    adder,
    [
      "SELECT setval('s', 1)",
      "SELECT nextval('s')",
      'SELECT "NextVal"/**/ (\'s\')',
      "INSERT INTO pub VALUES (nextval('s'), 1)",
    ],
  ],
  [
    'any change, with a token that reads',
    reader,
    ['INSERT INTO pub VALUES (3, 3)', 'DELETE FROM pub', 'UPDATE pub SET x = 1', 'DROP TABLE pub', 'BEGIN IMMEDIATE'],
  ],
  [
    'carrying another table over',
    owner,
    [
      'INSERT INTO pub SELECT id, s FROM secret',
      'INSERT INTO pub (x) VALUES ((SELECT s FROM secret))',
      'UPDATE pub SET x = (SELECT s FROM secret)',
      'UPDATE pub SET x = s FROM secret',
      'DELETE FROM pub WHERE x = (SELECT s FROM secret)',
      'INSERT INTO pub VALUES (1, 1) RETURNING (SELECT s FROM secret)',
      'INSERT INTO pub VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET x = (SELECT s FROM secret)',
      'CREATE TABLE copy AS SELECT * FROM secret',
      'CREATE TABLE pub2 AS SELECT * FROM pub',
      'ALTER TABLE secret RENAME TO pub2',
      'ALTER TABLE pub RENAME TO pub2',
      'ALTER TABLE secret ADD COLUMN n',
      'ALTER TABLE secret DROP COLUMN s',
      'DROP TABLE secret',
      'DROP INDEX secret_s',
      'DROP VIEW shown',
      'DROP TRIGGER watch',
      'CREATE INDEX i ON secret (s)',
      'CREATE VIEW v AS SELECT * FROM pub',
      'CREATE TRIGGER t AFTER INSERT ON pub BEGIN SELECT 1; END',
      'CREATE TRIGGER t AFTER INSERT ON secret BEGIN INSERT INTO pub SELECT * FROM secret; END',
      'CREATE TEMP TABLE pub (x)',
      'CREATE TEMP VIEW pub AS SELECT * FROM secret',
      'CREATE TABLE r (a REFERENCES secret(id))',
      'INSERT INTO sqlite_sequence VALUES (1, 1)',
      'PRAGMA user_version = 3',
      'PRAGMA optimize',
      'ANALYZE',
      'REINDEX',
    ],
  ],
  [
    'what inserting brings along',
    adder,
    [
      'INSERT INTO watched VALUES (1)',
      'INSERT INTO child VALUES (5, 1)',
      'INSERT INTO pub VALUES (9, 1) RETURNING x',
      'INSERT OR REPLACE INTO child VALUES (1, 1)',
      'INSERT INTO pub VALUES (1, 1) ON CONFLICT DO UPDATE SET x = 2',
      'SELECT * FROM pub',
    ],
  ],
  [
    'a cascade into another table',
    [entry(['parent'], 'data_read', 'data_delete')],
    ['DELETE FROM parent WHERE id = 1', 'DELETE FROM parent'],
  ],
  [
    'data, with a token for the schema',
    maker,
    [
      'SELECT * FROM pub',
      'INSERT INTO pub VALUES (1, 1)',
      'DELETE FROM secret',
      'CREATE TABLE copy AS SELECT * FROM secret',
      'CREATE INDEX oracle ON secret (json(s))',
      "ALTER TABLE secret ADD COLUMN c CHECK (s > 'h')",
      'CREATE TRIGGER t AFTER INSERT ON pub BEGIN DELETE FROM secret; END',
    ],
  ],
  [
    'moving a table under a name that may be read',
    [entry(['secret'], 'schema_update'), entry(['shown2'], 'data_read', 'schema_add')],
    ['ALTER TABLE secret RENAME TO shown2', 'ALTER TABLE main."secret" RENAME TO "SHOWN2"'],
  ],
];

const libsqlPermitted: [string, TablePermission[], string[]][] = [
  [
    'recursion, and full text',
    [...owner, ...[entry(['notes'], 'data_read', 'data_add')]],
    [
      'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3) SELECT * FROM c',
      "INSERT INTO notes VALUES ('some words')",
      "SELECT *, bm25(notes) FROM notes WHERE notes MATCH 'words'",
      "SELECT name FROM pragma_table_info('secret')",
      "SELECT vector_extract(vector32('[1]')), hex(x) FROM pub",
    ],
  ],
];
const libsqlForbidden: [string, TablePermission[], string[]][] = [
  [
    'virtual tables over others, and what stands behind them',
    [...owner, entry(['v'], 'schema_add', 'data_read')],
    [
      "CREATE VIRTUAL TABLE v USING fts5(s, content='secret')",
      'CREATE VIRTUAL TABLE v USING fts5vocab(notes, row)',
      'SELECT * FROM notes_content',
      'SELECT * FROM notes',
      'SELECT * FROM dbstat',
      'SELECT * FROM pragma_foreign_key_check',
      "SELECT * FROM pragma_integrity_check WHERE 1 = '1'",
      'INSERT INTO through VALUES (1)',
    ],
  ],
];

describe.each(['libsql', 'tursodb'] as const)('tokens for single tables, %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;
  let neighbour: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('guarded', engine);
    neighbour = await node.createDatabase('neighbour', engine);
    for (const sql of schema) await node.run(database, sql);
    if (engine === 'libsql') await node.run(database, 'CREATE VIRTUAL TABLE notes USING fts5(body)');
  });

  afterAll(async () => node.dispose());

  const withToken = async (p: unknown, more: object = {}): Promise<TestDatabase> => {
    return { ...database, token: await node.token({ id: database.id, p, ...more }) };
  };
  const codeOf = async (of: TestDatabase, sql: string): Promise<string> =>
    (await sqlWays['v3 execute'](node, of, sql)).error?.code ?? 'works';

  const isLibsql = engine === 'libsql';
  it.each([...permitted, ...(isLibsql ? libsqlPermitted : [])])('permit %s', async (_what, permissions, statements) => {
    const holder = await withToken(permissions);
    const answers = [];
    for (const sql of statements) {
      const { error } = await sqlWays['v3 execute'](node, holder, sql);
      if (error) answers.push([sql, error.message]);
    }
    expect(answers).toEqual([]);
  });

  it.each([...forbidden, ...(isLibsql ? libsqlForbidden : [])])('refuse %s', async (_what, permissions, statements) => {
    const holder = await withToken(permissions);
    const before = await node.run(database, 'SELECT group_concat(sql) FROM sqlite_schema');
    const passed = [];
    for (const sql of statements) {
      const { error, text } = await sqlWays['v3 execute'](node, holder, sql);
      if (error === undefined || text.includes('hidden')) passed.push([sql, text]);
      // An engine may not know a form at all; what it knows, the permission refuses.
      else if (
        !['SQLITE_AUTH', 'BLOCKED'].includes(error.code) &&
        (await codeOf(database, `EXPLAIN ${sql}`)) === 'works'
      ) {
        passed.push([sql, error.code]);
      }
    }
    expect(passed).toEqual([]);
    expect(await node.run(database, 'SELECT group_concat(sql) FROM sqlite_schema')).toEqual(before);
    expect(await node.run(database, 'SELECT count(*) FROM secret')).toEqual([['1']]);
  });

  it('by every way SQL comes in', async () => {
    const holder = await withToken(reader);
    for (const [name, way] of Object.entries(sqlWays)) {
      const { error, text } = await way(node, holder, 'SELECT s FROM secret');
      expect([name, error?.code, text.includes('hidden')]).toEqual([name, 'SQLITE_AUTH', false]);
      expect([name, (await way(node, holder, 'SELECT x FROM pub')).error]).toEqual([name, undefined]);
    }
    const dumped = await fetch(`${holder.url}dump`, { headers: { authorization: `Bearer ${holder.token}` } });
    expect([dumped.status, ((await dumped.json()) as { code: string }).code]).toEqual([403, 'SQLITE_AUTH']);
    const v1 = await node.post(holder, 'v1/execute', JSON.stringify({ stmt: { sql: 'SELECT s FROM secret' } }));
    expect(v1.text).toContain('SQLITE_AUTH');
    const socket = createClient({ url: holder.url.replace('http', 'ws'), authToken: holder.token });
    await expect(socket.execute('SELECT s FROM secret')).rejects.toMatchObject({ code: 'SQLITE_AUTH' });
    expect((await socket.execute('SELECT count(*) AS n FROM pub')).rows).toHaveLength(1);
    socket.close();
  });

  it('see the schema as it is, not as it was', async () => {
    const holder = await withToken([entry(['changing'], 'data_read')]);
    await node.run(database, 'CREATE VIEW changing AS SELECT 1 AS one');
    expect(await codeOf(holder, 'SELECT * FROM changing')).toBe('works');
    await node.run(database, 'DROP VIEW changing');
    await node.run(database, 'CREATE VIEW changing AS SELECT * FROM secret');
    expect(await codeOf(holder, 'SELECT * FROM changing')).toBe('SQLITE_AUTH');
    await node.run(database, 'DROP VIEW changing');
  });

  it('see what the same stream has changed, and nothing in TEMP', async () => {
    const execute = (sql: string): object => ({ type: 'execute', stmt: { sql } });
    const holder = await withToken(owner);
    for (const [sql, end] of [
      ['ALTER TABLE pub RENAME TO old_pub; CREATE VIEW pub AS SELECT id, s AS x FROM secret', 'ROLLBACK'],
      ['CREATE TEMP TABLE pub AS SELECT id, s AS x FROM secret', 'ROLLBACK'],
    ]) {
      const opened = await node.pipeline(database, [execute('BEGIN'), { type: 'sequence', sql }]);
      expect(opened.body.results.map(({ error }) => error)).toEqual([undefined, undefined]);
      const { baton } = opened.body;
      const asked = await node.pipeline(database, [execute('SELECT * FROM pub')], { token: holder.token, baton });
      expect(asked.body.results[0]?.error?.code).toBe('SQLITE_AUTH');
      await node.pipeline(database, [execute(end!), { type: 'close' }], { baton: asked.body.baton });
    }
    expect(await codeOf(holder, 'SELECT * FROM pub')).toBe('works');
  });

  it('are within the access of the token, and say what is missing', async () => {
    const readOnly = await withToken(owner, { a: 'ro' });
    expect(await codeOf(readOnly, 'INSERT INTO pub VALUES (50, 1)')).toBe('BLOCKED');
    const { error } = await sqlWays['v3 execute'](node, await withToken(reader), 'SELECT * FROM secret');
    expect(error?.message).toBe('not authorized: the token has no "data_read" on the table "secret"');
  });

  it('open no other database', async () => {
    const token = await node.token({ id: database.id, p: [entry(null, 'data_read')] });
    const { status } = await node.pipeline(neighbour, [], { token });
    expect(status).toBe(401);
  });

  it.each([
    [{}],
    [[]],
    [[{ t: ['pub'], a: [] }]],
    [[{ t: ['pub'], a: ['data_all'] }]],
    [[{ t: 'pub', a: ['data_read'] }]],
  ])('are refused when they are none: %j', async (p) => {
    const { status, body } = await node.pipeline(database, [], { token: (await withToken(p)).token });
    expect([status, body.code]).toEqual([401, 'AUTH_JWT_INVALID']);
  });
});
