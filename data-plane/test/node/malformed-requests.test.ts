import fc from 'fast-check';
import { catalogue } from '../../src/errors/catalogue.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const execute = (sql: string): object => ({ type: 'execute', stmt: { sql } });

describe('malformed requests', () => {
  let node: DataNode;
  let database: TestDatabase;
  let startedAs: number;

  beforeAll(async () => {
    node = await DataNode.start();
    startedAs = node.pid;
    database = await node.createDatabase('malformed');
    await node.run(database, 'CREATE TABLE t (a)');
  });

  afterAll(async () => {
    expect(node.pid).toBe(startedAs);
    expect(node.logLines.filter((line) => line.includes('engine process ended'))).toEqual([]);
    await node.dispose();
  });

  interface Refusal {
    readonly status: number;
    readonly code: string;
    readonly error: string;
  }

  async function send(path: string, body: string | Uint8Array): Promise<Refusal> {
    const { status, text } = await node.post(database, path, body);
    const { code, error } = JSON.parse(text) as Refusal;
    return { status, code, error };
  }
  const malformed = (error: string): Refusal => ({ status: 400, code: 'MALFORMED_REQUEST', error });

  const nested = (depth: number): object => {
    let condition: object = { type: 'is_autocommit' };
    for (let level = 1; level < depth; level++) condition = { type: 'not', cond: condition };
    return condition;
  };
  const conditional = (condition: unknown): object => ({
    requests: [
      { type: 'batch', batch: { steps: [{ stmt: { sql: 'SELECT 1' } }, { condition, stmt: { sql: 'SELECT 2' } }] } },
    ],
  });
  const step = 'requests[0].batch.steps[1].condition';

  it.each<[string, unknown, string]>([
    ['no JSON', '{"requests":', 'the body must be JSON'],
    ['nothing', '', 'the body must be JSON'],
    ['a string', '"requests"', 'the body must be an object'],
    ['an array', [], 'the body must be an object'],
    ['null', 'null', 'the body must be an object'],
    ['no requests', {}, 'requests must be an array'],
    ['requests that are an object', { requests: {} }, 'requests must be an array'],
    ['a request that is a number', { requests: [1] }, 'requests[0] must be an object'],
    [
      'an unknown request',
      { requests: [{ type: 'explode' }] },
      'requests[0].type must be the name of a stream request',
    ],
    ['a request without type', { requests: [{}] }, 'requests[0].type must be the name of a stream request'],
    ['a baton that is a number', { baton: 5, requests: [] }, 'baton must be a string'],
    [
      'a statement that is a text',
      { requests: [{ type: 'execute', stmt: 'SELECT 1' }] },
      'requests[0].stmt must be an object',
    ],
    [
      'SQL that is a number',
      { requests: [{ type: 'execute', stmt: { sql: 1 } }] },
      'requests[0].stmt.sql must be a string',
    ],
    [
      'both SQL and the id of a stored text',
      { requests: [{ type: 'execute', stmt: { sql: 'SELECT 1', sql_id: 1 } }] },
      'requests[0].stmt must have either "sql" or "sql_id"',
    ],
    [
      'close before the end',
      { requests: [{ type: 'close' }, execute('SELECT 1')] },
      'requests[0]: "close" must be the last request',
    ],
    [
      'a condition on the step itself',
      conditional({ type: 'ok', step: 1 }),
      `${step}.step must be the index of an earlier step`,
    ],
    [
      'a condition on a later step',
      conditional({ type: 'error', step: 2 }),
      `${step}.step must be the index of an earlier step`,
    ],
    [
      'a condition on step -1',
      conditional({ type: 'ok', step: -1 }),
      `${step}.step must be the index of an earlier step`,
    ],
    ['a condition on step 0.5', conditional({ type: 'ok', step: 0.5 }), `${step}.step must be a 32-bit integer`],
    ['conditions 101 deep', conditional(nested(101)), 'a batch condition may be nested 100 deep'],
    ['conditions 2,000 deep', conditional(nested(2_000)), 'a batch condition may be nested 100 deep'],
  ])('%s', async (_what, body, error) => {
    expect(await send('v3/pipeline', typeof body === 'string' ? body : JSON.stringify(body))).toEqual(malformed(error));
  });

  it('bytes that are not UTF-8', async () => {
    const body = Buffer.from('{"requests":[{"type":"execute","stmt":{"sql":"SELECT \'\xff\'"}}]}', 'latin1');
    expect(await send('v3/pipeline', body)).toEqual(malformed('the body must be UTF-8'));
  });

  it('JSON nested a million deep', async () => {
    const deep = '['.repeat(1_000_000);
    expect((await send('v3/pipeline', `{"requests":${deep}`)).status).toBe(400);
    expect((await send('v3/pipeline', `{"requests":${deep}${']'.repeat(1_000_000)}}`)).status).toBe(400);
  });

  it('conditions 100 deep are served', async () => {
    const { body } = await node.pipeline(database, (conditional(nested(100)) as { requests: unknown[] }).requests);
    expect(body.results[0]?.response?.result.step_errors).toEqual([null, null]);
  });

  it.each(['v2/pipeline', 'v3/pipeline', 'v3/cursor'])('nothing of a malformed request to %s runs', async (path) => {
    const insert = execute('INSERT INTO t VALUES (1)');
    const steps = [{ stmt: { sql: 'INSERT INTO t VALUES (1)' } }, { stmt: { sql: 5 } }];
    const body = path === 'v3/cursor' ? { batch: { steps } } : { requests: [insert, { type: 'explode' }] };
    expect((await send(path, JSON.stringify(body))).code).toBe('MALFORMED_REQUEST');
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
  });

  it('a body over 32 MiB', async () => {
    const body = JSON.stringify({ requests: [execute(`SELECT '${'x'.repeat(33 * 1024 * 1024)}'`)] });
    const refusal = await send('v3/pipeline', body);
    expect(refusal).toEqual({
      status: 413,
      code: 'REQUEST_TOO_LARGE',
      error: 'the request body is longer than 33554432 bytes',
    });
  });

  it('a database that does not exist', async () => {
    const missing = { ...database, url: `${node.url}/db/missing-test/` };
    // Whoever may not use it learns nothing, not even that it is not there.
    const { status, body } = await node.pipeline(missing, []);
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'AUTH_FORBIDDEN' });
    const deleted = await node.createDatabase('deleted');
    await node.run(deleted, 'SELECT 1');
    expect((await node.admin('DELETE', `/admin/v1/databases/${deleted.id}`)).ok).toBe(true);
    const gone = await node.pipeline(deleted, []);
    expect({ status: gone.status, code: gone.body.code }).toEqual({ status: 404, code: 'DATABASE_NOT_FOUND' });
  });

  it('whatever a valid request is turned into, the answer is one of the catalogue and nothing dies', async () => {
    const valid = {
      baton: null,
      requests: [
        { type: 'store_sql', sql_id: 1, sql: 'SELECT ?' },
        { type: 'execute', stmt: { sql_id: 1, args: [{ type: 'integer', value: '1' }], want_rows: true } },
        {
          type: 'execute',
          stmt: { sql: 'SELECT :a', named_args: [{ name: 'a', value: { type: 'blob', base64: 'AAE' } }] },
        },
        {
          type: 'batch',
          batch: {
            steps: [
              { stmt: { sql: 'BEGIN' } },
              { condition: { type: 'ok', step: 0 }, stmt: { sql: 'INSERT INTO t VALUES (1.5)' } },
              {
                condition: {
                  type: 'and',
                  conds: [{ type: 'not', cond: { type: 'error', step: 1 } }, { type: 'is_autocommit' }],
                },
                stmt: { sql: 'SELECT 1' },
              },
              { condition: { type: 'or', conds: [] }, stmt: { sql: 'SELECT 1' } },
              { stmt: { sql: 'ROLLBACK' } },
            ],
          },
        },
        { type: 'sequence', sql: 'SELECT 1; SELECT 2' },
        { type: 'describe', sql: 'SELECT ?, :b' },
        { type: 'get_autocommit' },
        { type: 'close_sql', sql_id: 1 },
        { type: 'close' },
      ],
      batch: { steps: [{ stmt: { sql: 'SELECT 1' } }] },
    };
    const places = pathsOf(valid);
    const change = fc.record({
      place: fc.nat(places.length - 1),
      value: fc.oneof(
        fc.jsonValue(),
        fc.constant(undefined),
        fc.constantFrom<unknown>(-1, 0, 1, 2 ** 31, 2 ** 53, 1e308, '', '\0', 'SELECT', '__proto__', [], {}, true),
        fc.nat(places.length - 1).map((other) => valueAt(valid, places[other] ?? [])),
      ),
    });
    const property = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('v2/pipeline', 'v3/pipeline', 'v3/cursor'),
      async (changes, path) => {
        const body: unknown = structuredClone(valid);
        // Copies: a value that is used twice must not hold itself after the second change.
        for (const { place, value } of changes) replaceAt(body, places[place] ?? [], structuredClone(value));
        const { status, text } = await node.post(database, path, JSON.stringify(body));
        if (status === 200) return;
        const { code, message } = JSON.parse(text) as { code: string; message: string };
        expect(Object.keys(catalogue)).toContain(code);
        expect(message).not.toBe('');
        expect({ code, status, serverError: status >= 500 }).toEqual({ code, status, serverError: false });
      },
    );
    await fc.assert(property, { numRuns: 400 });
    expect(await node.run(database, 'SELECT 1')).toEqual([['1']]);
  });
});

type Path = readonly (string | number)[];

/** Every place in a JSON value, from the outside in. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  const inner = keys.flatMap((key) => pathsOf((value as Record<string | number, unknown>)[key], [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

/** What stands at a place; undefined when an earlier change took the place away. */
function valueAt(value: unknown, path: Path): unknown {
  let inner: unknown = value;
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null) return undefined;
    inner = (inner as Record<string | number, unknown>)[key];
  }
  return inner;
}

/** Puts `replacement` at a place, unless an earlier change took the place away. */
function replaceAt(value: unknown, path: Path, replacement: unknown): void {
  let inner: unknown = value;
  for (const key of path.slice(0, -1)) {
    if (typeof inner !== 'object' || inner === null) return;
    inner = (inner as Record<string | number, unknown>)[key];
  }
  const last = path.at(-1);
  if (typeof inner === 'object' && inner !== null && last !== undefined) {
    (inner as Record<string | number, unknown>)[last] = replacement;
  }
}
