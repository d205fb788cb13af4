import { DataNode, type TestDatabase } from '../support/data-node.js';

interface SqlError {
  readonly message: string;
  readonly code: string;
  readonly extended_code?: string;
}

const constraint = (kind: string, message: string): SqlError => ({
  message,
  code: 'SQLITE_CONSTRAINT',
  extended_code: `SQLITE_CONSTRAINT_${kind}`,
});
const failure = (message: string, code = 'SQLITE_ERROR'): SqlError => ({ message, code });

/** What both engines say in the same words: those of SQLite, which clients look at. */
const sameErrors: [string, SqlError][] = [
  ["INSERT INTO p VALUES (2, 'x', 1, 1, NULL)", constraint('UNIQUE', 'UNIQUE constraint failed: p.a')],
  ["INSERT INTO p VALUES (3, 'y', NULL, 1, NULL)", constraint('NOTNULL', 'NOT NULL constraint failed: p.b')],
  ["INSERT INTO p VALUES (3, 'y', 1, -1, NULL)", constraint('CHECK', 'CHECK constraint failed: c > 0')],
  ['SELECT * FROM missing', failure('no such table: missing')],
  ['SELECT missing FROM p', failure('no such column: missing')],
  ['INSERT INTO p (missing) VALUES (1)', failure('table p has no column named missing')],
  ['INSERT INTO p VALUES (1)', failure('table p has 5 columns but 1 values were supplied')],
  ['CREATE TABLE p (a)', failure('table p already exists')],
  ['SELECT missing(1)', failure('no such function: missing')],
  ["SELECT json('{')", failure('malformed JSON')],
  ['COMMIT', failure('cannot commit - no transaction is active')],
  ['ROLLBACK', failure('cannot rollback - no transaction is active')],
  ['SELEC 1', failure('near "SELEC": syntax error', 'SQL_PARSE_ERROR')],
  ['SELECT 1 FROM', failure('incomplete input', 'SQL_PARSE_ERROR')],
  ['SELECT 1; SELECT 2', failure('the SQL text contains more than one statement', 'SQL_MANY_STATEMENTS')],
  ...['', '  ', '-- nothing', '/* nothing */', ';', ';;;'].map((sql): [string, SqlError] => [
    sql,
    failure('the SQL text contains no statement', 'SQL_NO_STATEMENT'),
  ]),
  ['SELECT 1 AS "a\0b"', failure('the SQL text contains a NUL character', 'SQL_INPUT_ERROR')],
];

const primaryKey = "INSERT INTO p VALUES (1, 'y', 1, 1, NULL)";
const primaryKeyMessage = 'UNIQUE constraint failed: p.id';
const engineErrors = {
  libsql: [[primaryKey, constraint('PRIMARYKEY', primaryKeyMessage)]],
  tursodb: [[primaryKey, constraint('UNIQUE', primaryKeyMessage)]],
} satisfies Record<string, [string, SqlError][]>;

describe.each(['libsql', 'tursodb'] as const)('errors of SQL on %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('errors', engine);
    await node.run(
      database,
      'CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b NOT NULL, c CHECK (c > 0), d REFERENCES p (id))',
      "INSERT INTO p VALUES (1, 'x', 1, 1, NULL)",
    );
  });

  afterAll(async () => node.dispose());

  async function execute(stmt: object): Promise<{ error?: SqlError; rows?: unknown[][] }> {
    const { status, body } = await node.pipeline(database, [{ type: 'execute', stmt }]);
    expect(status).toBe(200);
    const [result] = body.results;
    const error = result?.error as SqlError | undefined;
    return error ? { error } : { rows: result?.response?.result.rows as unknown[][] };
  }

  it.each([...sameErrors, ...engineErrors[engine]])('%j', async (sql, error) => {
    expect(await execute({ sql })).toEqual({ error });
  });

  it('FOREIGN KEY', async () => {
    const requests = ['PRAGMA foreign_keys = on', "INSERT INTO p VALUES (4, 'z', 1, 1, 77)"].map((sql) => ({
      type: 'execute',
      stmt: { sql },
    }));
    const { body } = await node.pipeline(database, requests);
    expect(body.results[1]?.error).toEqual(constraint('FOREIGNKEY', 'FOREIGN KEY constraint failed'));
  });

  it('a failed statement of a pipeline does not stop those after it; one of a sequence does', async () => {
    await node.run(database, 'CREATE TABLE counted (n)');
    const insert = { type: 'execute', stmt: { sql: 'INSERT INTO counted VALUES (1)' } };
    const missing = { type: 'execute', stmt: { sql: 'SELECT * FROM missing' } };
    const { body } = await node.pipeline(database, [insert, missing, insert]);
    expect(body.results.map(({ type }) => type)).toEqual(['ok', 'error', 'ok']);
    expect(await node.run(database, 'SELECT count(*) FROM counted')).toEqual([['2']]);
    const sql = 'INSERT INTO counted VALUES (1); SELECT * FROM missing; INSERT INTO counted VALUES (1)';
    expect((await node.pipeline(database, [{ type: 'sequence', sql }])).body.results[0]?.error).toEqual(
      failure('no such table: missing'),
    );
    expect(await node.run(database, 'SELECT count(*) FROM counted')).toEqual([['3']]);
  });

  describe('arguments', () => {
    const one = { type: 'integer', value: '1' };
    const wrongCount = (expected: number, given: number): SqlError =>
      failure(`the statement has ${expected} parameters, ${given} arguments were given`, 'ARGS_INVALID');

    it.each<[string, object, SqlError]>([
      ['too few', { sql: 'SELECT ?, ?', args: [one] }, wrongCount(2, 1)],
      ['none', { sql: 'SELECT ?' }, wrongCount(1, 0)],
      ['too many', { sql: 'SELECT 1', args: [one] }, wrongCount(0, 1)],
      [
        'too many by name',
        { sql: 'SELECT :a', named_args: ['a', 'b'].map((name) => ({ name, value: one })) },
        wrongCount(1, 2),
      ],
      [
        'a wrong name',
        { sql: 'SELECT :a', named_args: [{ name: 'b', value: one }] },
        failure('no argument for the parameter :a', 'ARGS_INVALID'),
      ],
      [
        'a name for a parameter without one',
        { sql: 'SELECT :a, ?', named_args: ['a', 'b'].map((name) => ({ name, value: one })) },
        failure('parameter 2 has no name and takes a positional argument', 'ARGS_INVALID'),
      ],
      [
        'both kinds at once',
        { sql: 'SELECT :a, ?', args: [one], named_args: [{ name: 'a', value: one }] },
        failure('a statement takes either positional or named arguments, not both', 'ARGS_BOTH_POSITIONAL_AND_NAMED'),
      ],
      [
        '32,767 of them',
        { sql: `SELECT 1 IN (${Array(32_767).fill('?').join(',')})`, args: Array(32_767).fill(one) as unknown[] },
        failure('too many SQL variables; a statement may have 32766', 'SQL_INPUT_ERROR'),
      ],
    ])('%s', async (_how, stmt, error) => {
      expect(await execute(stmt)).toEqual({ error });
      await node.run(database, 'SELECT 1');
    });

    it('are bound by name whatever the prefix', async () => {
      const value = (text: string): object => ({ type: 'text', value: text });
      const named = [
        { name: ':a', value: value('A') },
        { name: 'b', value: value('B') },
        { name: '$c', value: value('C') },
      ];
      const { rows } = await execute({ sql: 'SELECT :a, @b, $c', named_args: named });
      expect(rows).toEqual([[value('A'), value('B'), value('C')]]);
    });

    // The Turso engine takes seconds to explain a statement with more.
    const many = engine === 'libsql' ? 32_766 : 4_000;
    it(`${many} of them`, async () => {
      const args = Array.from({ length: many }, (_, index) => ({ type: 'integer', value: String(index) }));
      const sql = `SELECT ${many - 1} IN (${Array(many).fill('?').join(',')}) AS found`;
      expect((await execute({ sql, args })).rows).toEqual([[one]]);
    });
  });

  describe('values', () => {
    const same = (value: object): [object, object] => [value, value];
    const blob = (base64: string): object => ({ type: 'blob', base64 });

    it.each([
      same({ type: 'integer', value: '9223372036854775807' }),
      same({ type: 'integer', value: '-9223372036854775808' }),
      same({ type: 'float', value: 1e300 }),
      same({ type: 'text', value: '' }),
      same({ type: 'text', value: 'é😀"\\\n\u0001' }),
      same({ type: 'null' }),
      same(blob('')),
      [blob('AA'), blob('AA')],
      [blob('AA=='), blob('AA')],
      [blob('AAE='), blob('AAE')],
      [blob('AAE'), blob('AAE')],
      [blob('+/+/'), blob('+/+/')],
      // A lone surrogate is not text in UTF-8: it becomes the replacement character.
      [
        { type: 'text', value: 'a\ud800b' },
        { type: 'text', value: 'a\ufffdb' },
      ],
    ])('%j', async (given, expected) => {
      expect((await execute({ sql: 'SELECT ?', args: [given] })).rows).toEqual([[expected]]);
    });

    it('a text with NUL is stored whole', async () => {
      const args = [{ type: 'text', value: 'a\0b' }];
      await node.run(database, 'CREATE TABLE nul (a)', { sql: 'INSERT INTO nul VALUES (?)', args });
      expect(await node.run(database, 'SELECT hex(a) FROM nul')).toEqual([['610062']]);
      expect(await node.run(database, { sql: 'SELECT count(*) FROM nul WHERE a = ?', args })).toEqual([['1']]);
    });

    it.each([
      ['9223372036854775808', 'requests[0].stmt.args[0].value must be a 64-bit signed integer'],
      ['-9223372036854775809', 'requests[0].stmt.args[0].value must be a 64-bit signed integer'],
      ['1e3', 'requests[0].stmt.args[0].value must be a string with a decimal integer'],
      ['', 'requests[0].stmt.args[0].value must be a string with a decimal integer'],
      [7, 'requests[0].stmt.args[0].value must be a string with a decimal integer'],
    ])('an integer %j is malformed', async (value, message) => {
      const stmt = { sql: 'SELECT ?', args: [{ type: 'integer', value }] };
      const { status, body } = await node.pipeline(database, [{ type: 'execute', stmt }]);
      expect({ status, code: body.code, error: body.error }).toEqual({
        status: 400,
        code: 'MALFORMED_REQUEST',
        error: message,
      });
    });

    it.each(['A', 'AA=', 'A===', '-_-_', 'AAEC\n', 'AAAA=', 5, null])('a blob %j is malformed', async (base64) => {
      const stmt = { sql: 'SELECT ?', args: [{ type: 'blob', base64 }] };
      const { status, body } = await node.pipeline(database, [{ type: 'execute', stmt }]);
      expect({ status, code: body.code }).toEqual({ status: 400, code: 'MALFORMED_REQUEST' });
    });

    it('floats that JSON cannot say come back as null, and cannot be sent', async () => {
      const nothing = { type: 'null' };
      expect((await execute({ sql: 'SELECT 9e999, -9e999, 9e999 - 9e999' })).rows).toEqual([
        [nothing, nothing, nothing],
      ]);
      for (const literal of ['NaN', 'Infinity', '"1.5"', 'null']) {
        const stmt = `{"sql":"SELECT ?","args":[{"type":"float","value":${literal}}]}`;
        const body = `{"requests":[{"type":"execute","stmt":${stmt}}]}`;
        const { status, text } = await node.post(database, 'v3/pipeline', body);
        expect({ literal, status, code: (JSON.parse(text) as SqlError).code }).toEqual({
          literal,
          status: 400,
          code: 'MALFORMED_REQUEST',
        });
      }
    });

    it('a statement of 10 MB is run', async () => {
      const { rows } = await execute({ sql: `SELECT length('${'x'.repeat(10_000_000)}') AS n` });
      expect(rows).toEqual([[{ type: 'integer', value: '10000000' }]]);
    });
  });
});
