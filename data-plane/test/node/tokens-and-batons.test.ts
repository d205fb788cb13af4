import { DataNode, type TestDatabase } from '../support/data-node.js';
import { tokenIssuer } from '../support/token-issuer.js';

const execute = (sql: string): object => ({ type: 'execute', stmt: { sql } });
const begin = execute('BEGIN');

describe('tokens and batons', () => {
  let node: DataNode;
  let database: TestDatabase;
  let other: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('mine');
    other = await node.createDatabase('other');
    for (const each of [database, other]) await node.run(each, 'CREATE TABLE t (a)');
  });

  afterAll(async () => node.dispose());

  async function refusal(requests: unknown[], options: { token?: string; baton?: string }): Promise<[number, unknown]> {
    const { status, body } = await node.pipeline(database, requests, options);
    return [status, body.code];
  }

  it('without a token', async () => {
    const { status, text } = await node.post(database, 'v3/pipeline', '{"requests":[]}', { authorization: '' });
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([401, 'AUTH_HTTP_HEADER_MISSING']);
    expect(await refusal([], { token: '' })).toEqual([401, 'AUTH_HTTP_HEADER_INVALID']);
  });

  it.each<[string, () => Promise<string> | string, string]>([
    ['no token at all', () => 'x', 'AUTH_JWT_INVALID'],
    ['of another issuer', () => tokenIssuer('test').sign({ id: database.id }), 'AUTH_JWT_INVALID'],
    ['of an unknown key', () => tokenIssuer('another').sign({ id: database.id }), 'AUTH_JWT_INVALID'],
    ['that has expired', () => node.token({ id: database.id, exp: 1_700_000_001 }), 'AUTH_JWT_EXPIRED'],
    ['that is not valid yet', () => node.token({ id: database.id, nbf: 9_000_000_000 }), 'AUTH_JWT_IMMATURE'],
    ['of another database', () => other.token, 'AUTH_FORBIDDEN'],
    ['of another group', () => node.token({ gid: '00000000-0000-4000-8000-000000000002' }), 'AUTH_FORBIDDEN'],
    ['for another audience', () => node.token({ id: database.id, aud: 'platform' }), 'AUTH_JWT_INVALID'],
    [
      'with an altered payload',
      async () => altered(await node.token({ id: other.id }), database.id),
      'AUTH_JWT_INVALID',
    ],
  ])('a token %s', async (_what, token, code) => {
    expect(await refusal([execute('SELECT 1')], { token: await token() })).toEqual([401, code]);
  });

  it('a read-only token reads, and writes in no way', async () => {
    const token = await node.token({ id: database.id, a: 'ro' });
    const writes = [
      'INSERT INTO t VALUES (1)',
      'DELETE FROM t',
      'CREATE TABLE u (a)',
      'PRAGMA user_version = 5',
      'BEGIN IMMEDIATE',
    ];
    const requests = [
      execute('SELECT count(*) FROM t'),
      ...writes.map(execute),
      { type: 'sequence', sql: writes.join(';') },
      { type: 'batch', batch: { steps: [{ stmt: { sql: writes[0] } }] } },
    ];
    const { body } = await node.pipeline(database, requests, { token });
    const codes = body.results.map(({ error, response }) => error?.code ?? response?.result?.step_errors?.[0]?.code);
    expect(codes).toEqual([undefined, ...Array<string>(writes.length + 2).fill('BLOCKED')]);
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
    expect(await node.run(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'")).toEqual([['0']]);
  });

  it('a group token opens every database of the group', async () => {
    const token = await node.token({ gid: '00000000-0000-4000-8000-000000000001' });
    for (const each of [database, other]) {
      expect((await node.pipeline(each, [execute('SELECT 1')], { token })).status).toBe(200);
    }
  });

  async function openStream(of = database): Promise<string> {
    const { body } = await node.pipeline(of, [begin]);
    if (body.baton === null) throw new Error('a stream with a transaction has a baton');
    return body.baton;
  }

  it('a baton works once, and the next one goes on', async () => {
    const first = await openStream();
    const { body } = await node.pipeline(database, [execute('INSERT INTO t VALUES (1)')], { baton: first });
    expect(body.results[0]?.type).toBe('ok');
    expect(await refusal([execute('COMMIT')], { baton: first })).toEqual([400, 'BATON_INVALID']);
    const last = await node.pipeline(database, [execute('ROLLBACK'), { type: 'close' }], { baton: body.baton });
    expect(last.body.results.map(({ type }) => type)).toEqual(['ok', 'ok']);
    expect(last.body.baton).toBeNull();
    expect(await refusal([], { baton: body.baton ?? '' })).toEqual([404, 'STREAM_EXPIRED']);
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
  });

  it('a forged baton', async () => {
    const baton = await openStream();
    const [id = '', secret = ''] = baton.split('.');
    const forgedSecret = secret.startsWith('A') ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
    for (const forged of ['', 'x', id, `${id}.`, `${id}.${secret}x`, `${id}.${forgedSecret}`]) {
      expect([forged, ...(await refusal([execute('SELECT 1')], { baton: forged }))]).toEqual([
        forged,
        400,
        'BATON_INVALID',
      ]);
    }
    expect(await refusal([], { baton: `AAAAAAAAAAAA.${secret}` })).toEqual([404, 'STREAM_EXPIRED']);
    // The stream itself is unharmed.
    const { body } = await node.pipeline(database, [execute('ROLLBACK')], { baton });
    expect(body.results[0]?.type).toBe('ok');
  });

  it('a baton of another database', async () => {
    const foreign = await openStream(other);
    expect(await refusal([execute('COMMIT')], { baton: foreign })).toEqual([404, 'STREAM_EXPIRED']);
    const { body } = await node.pipeline(other, [execute('ROLLBACK')], { baton: foreign });
    expect(body.results[0]?.type).toBe('ok');
  });

  it('of several requests with one baton at once exactly one is served', async () => {
    const baton = await openStream();
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => node.pipeline(database, [execute('INSERT INTO t VALUES (1)')], { baton })),
    );
    const served = answers.filter(({ status }) => status === 200);
    expect(served).toHaveLength(1);
    for (const { status, body } of answers) if (status !== 200) expect(body.code).toBe('BATON_INVALID');
    const { body } = await node.pipeline(database, [execute('COMMIT')], { baton: served[0]?.body.baton ?? null });
    expect(body.results[0]?.type).toBe('ok');
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
  });

  it('a stream does not outlive its node', async () => {
    const baton = await openStream();
    await node.end();
    await node.restart();
    expect(await refusal([execute('COMMIT')], { baton })).toEqual([404, 'STREAM_EXPIRED']);
  });
});

/** The token with another database in its claims, under its old signature. */
function altered(token: string, id: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  return [header, Buffer.from(JSON.stringify({ ...claims, id })).toString('base64url'), signature].join('.');
}
