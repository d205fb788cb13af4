/** Work over many databases: bulk creation, and migrations that stop, go on, and apply to each database once. */
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { callWith, eventually, type Call } from './support/platform-caller.js';

describe('fleet operations', () => {
  let local: LocalSystemForTests;
  let call: Call;
  const names = Array.from({ length: 20 }, (_each, number) => `shard-${String(number).padStart(2, '0')}`);
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    call = callWith(local.system.apiUrl, local.system.token);
    await call('POST', '/v1/groups', { name: 'fleet' });
  });
  afterAll(async () => local.stop());

  const rows = async (name: string, sql: string): Promise<Record<string, unknown>[]> => {
    const { jwt } = await local.api.databases.createToken(name);
    return (await local.open(name, jwt).execute(sql)).rows;
  };
  const finished = async (id: string) =>
    (
      await eventually(
        async () => call('GET', `/v1/groups/fleet/operations/${id}`),
        ({ body }) => body['operation'].state !== 'running',
      )
    ).body['operation'];
  const start = async (body: object) => call('POST', '/v1/groups/fleet/migrations', body);

  it('create many databases, and say of each what became of it', async () => {
    await call('POST', '/v1/databases', { name: names[3], group: 'fleet' });
    const { status, body } = await call('POST', '/v1/groups/fleet/databases', { names });
    expect(status).toBe(200);
    const results = body['databases'] as { name: string; status: string; code?: string }[];
    expect(results.map(({ name }) => name)).toEqual(names);
    expect(results.filter(({ status: each }) => each === 'created')).toHaveLength(19);
    expect(results[3]).toMatchObject({ status: 'refused', code: 'DATABASE_EXISTS' });
    expect(await call('POST', '/v1/groups/fleet/databases', { names: ['ok', 'Not Ok'] })).toMatchObject({
      status: 400,
    });
    expect(await call('POST', '/v1/groups/none/databases', { names })).toMatchObject({ status: 404 });
  });

  it('migrate all databases of a group, each in one transaction and once', async () => {
    const started = await start({ statements: ['CREATE TABLE t (v)', 'INSERT INTO t VALUES (1)'] });
    expect(started).toMatchObject({ status: 200, body: { operation: { state: 'running', total: 20 } } });
    const { id } = started.body['operation'] as { id: string };
    expect(await finished(id)).toMatchObject({ state: 'done', total: 20, succeeded: 20, failed: 0, failures: [] });
    for (const name of names) expect(await rows(name, 'SELECT count(*) AS n FROM t')).toMatchObject([{ n: 1 }]);
    expect(await call('POST', `/v1/groups/fleet/operations/${id}/resume`)).toMatchObject({
      status: 400,
      body: { code: 'OPERATION_STATE' },
    });
    expect(await call('POST', `/v1/groups/fleet/operations/${id}/stop`)).toMatchObject({ status: 400 });
  });

  it('stop when too many fail, and go on when what was wrong is put right', async () => {
    await rows(names[7]!, 'CREATE TABLE added (other)');
    const { id } = (await start({ statements: ['CREATE TABLE added (v)', 'INSERT INTO added VALUES (1)'] })).body[
      'operation'
    ] as { id: string };
    const failed = await finished(id);
    expect(failed).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/^1 of \d+ databases failed$/) as string,
    });
    expect(failed.failures).toMatchObject([
      { database: names[7], error: expect.stringMatching(/already exists/) as string },
    ]);
    // Nothing of it was done to the one that failed, and nothing to those that come after.
    expect(await rows(names[7]!, 'SELECT * FROM added')).toEqual([]);
    await expect(rows(names[19]!, 'SELECT * FROM added')).rejects.toThrow();
    await rows(names[7]!, 'DROP TABLE added');
    expect(await call('POST', `/v1/groups/fleet/operations/${id}/resume`)).toMatchObject({ status: 200 });
    expect(await finished(id)).toMatchObject({ state: 'done', succeeded: 20, failed: 0, failures: [] });
    for (const name of names) expect(await rows(name, 'SELECT v FROM added')).toMatchObject([{ v: 1 }]);
  });

  it('go on past failures that are allowed, on the databases that are selected', async () => {
    await rows(names[1]!, 'CREATE TABLE chosen (v)');
    const selected = names.slice(0, 5);
    const { id } = (
      await start({ statements: ['CREATE TABLE chosen (v)'], databases: selected, max_failure_rate: 0.5 })
    ).body['operation'] as { id: string };
    expect(await finished(id)).toMatchObject({ state: 'done', total: 5, succeeded: 4, failed: 1 });
    await expect(rows(names[6]!, 'SELECT * FROM chosen')).rejects.toThrow();
    expect(await start({ statements: ['SELECT 1'], databases: ['nothing'] })).toMatchObject({ status: 404 });
    expect(await start({ statements: [] })).toMatchObject({ status: 400 });
  });

  it('go on after the control plane was killed, and apply nothing twice', async () => {
    const { id } = (await start({ statements: ['CREATE TABLE IF NOT EXISTS n (v)', 'INSERT INTO n VALUES (1)'] })).body[
      'operation'
    ] as { id: string };
    process.kill(local.system.processes().controlPlane!, 'SIGKILL');
    await local.reported(/the control plane is running again/);
    // The lease of the runner that died is waited out, or taken back: the operation ends all the same.
    expect(await finished(id)).toMatchObject({ state: 'done', succeeded: 20, failed: 0 });
    for (const name of names) expect(await rows(name, 'SELECT count(*) AS n FROM n')).toMatchObject([{ n: 1 }]);
  });

  it('are listed, and not found elsewhere', async () => {
    const { body } = await call('GET', '/v1/groups/fleet/operations');
    expect((body['operations'] as unknown[]).length).toBe(4);
    const { id } = (body['operations'] as { id: string }[])[0]!;
    expect(await call('GET', `/v1/groups/default/operations/${id}`)).toMatchObject({
      status: 404,
      body: { code: 'OPERATION_NOT_FOUND' },
    });
  });
});
