import { decodeCursorRequest, decodePipelineRequest } from './decode-request.js';

const pipeline = (body: unknown): ReturnType<typeof decodePipelineRequest> =>
  decodePipelineRequest(Buffer.from(JSON.stringify(body)));
const cursor = (body: unknown): ReturnType<typeof decodeCursorRequest> =>
  decodeCursorRequest(Buffer.from(JSON.stringify(body)));
const statement = (stmt: unknown): unknown => ({ requests: [{ type: 'execute', stmt }] });

describe('decodePipelineRequest', () => {
  it('treats what is absent, null and empty alike', () => {
    const plain = { text: { sql: 'SELECT 1' }, args: [], namedArgs: [], wantRows: true };
    for (const more of [
      {},
      { args: null, named_args: null, want_rows: null, sql_id: null },
      { args: [], named_args: [] },
    ]) {
      expect(pipeline(statement({ sql: 'SELECT 1', ...more }))).toEqual({
        baton: undefined,
        requests: [{ type: 'execute', statement: plain }],
      });
    }
    expect(pipeline({ baton: null, requests: [] })).toEqual({ baton: undefined, requests: [] });
  });

  it('ignores fields it does not know', () => {
    const body = statement({ sql: 'SELECT 1', replication_index: '5', what: {} });
    expect(pipeline(body).requests).toHaveLength(1);
  });

  it('decodes every request', () => {
    const { baton, requests } = pipeline({
      baton: 'b',
      requests: [
        { type: 'store_sql', sql_id: 1, sql: 'SELECT :a' },
        {
          type: 'execute',
          stmt: { sql_id: 1, named_args: [{ name: 'a', value: { type: 'null' } }], want_rows: false },
        },
        {
          type: 'batch',
          batch: { steps: [{ stmt: { sql: 'A' } }, { stmt: { sql: 'B' }, condition: { type: 'ok', step: 0 } }] },
        },
        { type: 'sequence', sql: 'A; B' },
        { type: 'describe', sql_id: 1 },
        { type: 'close_sql', sql_id: 1 },
        { type: 'get_autocommit' },
        { type: 'close' },
      ],
    });
    const plain = { args: [], namedArgs: [], wantRows: true };
    expect(baton).toBe('b');
    expect(requests).toEqual([
      { type: 'store_sql', sqlId: 1, sql: 'SELECT :a' },
      {
        type: 'execute',
        statement: { text: { sqlId: 1 }, args: [], namedArgs: [{ name: 'a', value: null }], wantRows: false },
      },
      {
        type: 'batch',
        steps: [
          { condition: undefined, statement: { text: { sql: 'A' }, ...plain } },
          { condition: { type: 'ok', step: 0 }, statement: { text: { sql: 'B' }, ...plain } },
        ],
      },
      { type: 'sequence', text: { sql: 'A; B' } },
      { type: 'describe', text: { sqlId: 1 } },
      { type: 'close_sql', sqlId: 1 },
      { type: 'get_autocommit' },
      { type: 'close' },
    ]);
  });

  it.each([
    [[], 'the body must be an object'],
    [{}, 'requests must be an array'],
    [{ requests: [null] }, 'requests[0] must be an object'],
    [{ requests: [{ type: 'close' }, { type: 'close' }] }, 'requests[0]: "close" must be the last request'],
    [statement(undefined), 'requests[0].stmt must be an object'],
    [statement({}), 'requests[0].stmt.sql must be a string'],
    [statement({ sql: 'A', sql_id: 1 }), 'requests[0].stmt must have either'],
    [statement({ sql_id: 1.5 }), 'requests[0].stmt.sql_id must be a 32-bit integer'],
    [statement({ sql_id: 2 ** 31 }), 'requests[0].stmt.sql_id must be a 32-bit integer'],
    [statement({ sql: 'A', args: {} }), 'requests[0].stmt.args must be an array'],
    [statement({ sql: 'A', want_rows: 1 }), 'requests[0].stmt.want_rows must be a boolean'],
    [statement({ sql: 'A', named_args: [{ value: { type: 'null' } }] }), 'requests[0].stmt.named_args[0].name'],
    [statement({ sql: 'A', named_args: [{ name: 'a' }] }), 'requests[0].stmt.named_args[0].value'],
    [{ requests: [{ type: 'store_sql', sql_id: 1 }] }, 'requests[0].sql must be a string'],
    [{ requests: [{ type: 'constructor' }] }, 'requests[0].type must be'],
  ])('refuses %j', (body, message) => {
    expect(() => pipeline(body)).toThrow(message);
  });
});

describe('decodeCursorRequest', () => {
  const conditional = (condition: unknown): unknown => ({
    batch: { steps: [{ stmt: { sql: 'A' } }, { stmt: { sql: 'B' }, condition }] },
  });

  it('decodes nested conditions', () => {
    const condition = {
      type: 'and',
      conds: [
        { type: 'not', cond: { type: 'error', step: 0 } },
        { type: 'or', conds: [{ type: 'is_autocommit' }] },
      ],
    };
    expect(cursor(conditional(condition)).steps[1]?.condition).toEqual({
      type: 'and',
      conditions: [
        { type: 'not', condition: { type: 'error', step: 0 } },
        { type: 'or', conditions: [{ type: 'is_autocommit' }] },
      ],
    });
  });

  it.each([
    [{ type: 'ok', step: 1 }, 'batch.steps[1].condition.step must be the index of an earlier step'],
    [{ type: 'ok', step: -1 }, 'the index of an earlier step'],
    [{ type: 'error', step: '0' }, 'a 32-bit integer'],
    [{ type: 'not' }, 'batch.steps[1].condition.cond must be an object'],
    [{ type: 'and', conds: {} }, 'batch.steps[1].condition.conds must be an array'],
    [{ type: 'maybe' }, 'batch.steps[1].condition.type'],
  ])('refuses the condition %j', (condition, message) => {
    expect(() => cursor(conditional(condition))).toThrow(message);
  });

  it('refuses conditions that are nested too deep', () => {
    let condition: unknown = { type: 'is_autocommit' };
    for (let depth = 1; depth < 100; depth++) condition = { type: 'not', cond: condition };
    expect(cursor(conditional(condition)).steps).toHaveLength(2);
    expect(() => cursor(conditional({ type: 'not', cond: condition }))).toThrow('nested 100 deep');
  });
});
