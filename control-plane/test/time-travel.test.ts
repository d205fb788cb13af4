/** Branches, earlier times and deleted databases through the Platform API, with the official SDK where it has the call. */
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('branches through the Platform API', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  const refused = (status: number, message: string | RegExp) =>
    expect.objectContaining({
      name: 'TursoClientError',
      status,
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    }) as Error;

  async function execute(name: string, ...statements: string[]): Promise<unknown[]> {
    const { jwt } = await local.api.databases.createToken(name);
    const client = local.open(name, jwt);
    let rows: unknown[] = [];
    for (const sql of statements) ({ rows } = await client.execute(sql));
    return rows;
  }

  it('are databases of their own that begin as their parent is, or was at a time', async () => {
    const { api, call } = local;
    const parent = await api.databases.create('trunk');
    await execute('trunk', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const timestamp = new Date();
    // The times of commits are whole milliseconds.
    while (Date.now() <= timestamp.getTime()) await new Promise((resolve) => setTimeout(resolve, 1));
    await execute('trunk', 'INSERT INTO t VALUES (2)');
    const branch = await api.databases.create('branch', { seed: { type: 'database', name: 'trunk' } });
    expect(branch.id).not.toBe(parent.id);
    await execute('trunk', 'DELETE FROM t');
    await api.databases.create('earlier', { seed: { type: 'database', name: 'trunk', timestamp } });
    expect(await execute('branch', 'INSERT INTO t VALUES (3)', 'SELECT n FROM t')).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
    expect(await execute('earlier', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    expect(await execute('trunk', 'SELECT n FROM t')).toEqual([]);

    const twig = await call('POST', '/v1/organizations/default/databases', {
      name: 'twig',
      group: 'default',
      seed: { type: 'database', value: 'branch' },
    });
    expect(twig.status).toBe(200);
    expect((await call('GET', '/v1/databases/twig')).body['database']).toMatchObject({
      group: 'default',
      parent: { id: branch.id, name: 'branch', branched_at: expect.stringMatching(/^\d{4}-.*Z$/) as string },
    });
    const children = async (id: string) =>
      ((await call('GET', `/v1/databases?parent=${id}`)).body['databases'] as { Name: string }[]).map(
        ({ Name }) => Name,
      );
    expect(await children(parent.id)).toEqual(['branch', 'earlier']);
    expect(await children(branch.id)).toEqual(['twig']);

    await api.databases.delete('branch');
    await api.databases.delete('trunk');
    expect(await execute('twig', 'SELECT count(*) AS n FROM t')).toEqual([{ n: 3 }]);
  });

  it('live in the group and engine of their parent', async () => {
    const { api } = local;
    await api.groups.create('team', 'local');
    await api.databases.create('lead', { group: 'team', useTursoDb: true });
    await api.databases.create('member', { seed: { type: 'database', name: 'lead' } });
    expect(await api.databases.get('member')).toMatchObject({ group: 'team', database_type: 'tursodb' });
    await api.groups.create('others', 'local');
    await expect(
      api.databases.create('stray', { group: 'others', seed: { type: 'database', name: 'lead' } }),
    ).rejects.toEqual(refused(400, 'a branch of lead lives in its group, team'));
    await api.databases.create('plain');
    await expect(
      api.databases.create('stray', { useTursoDb: true, seed: { type: 'database', name: 'plain' } }),
    ).rejects.toEqual(refused(400, 'a branch of plain has its engine, libsql'));
  });

  it('are refused when there is nothing to begin with, and leave no trace', async () => {
    const { api } = local;
    await api.databases.create('young');
    const create = async (seed: { name: string; timestamp?: string }) =>
      api.databases.create('none', { seed: { type: 'database', ...seed } });
    await expect(create({ name: 'nothing' })).rejects.toEqual(
      refused(404, /could not find database with name nothing/),
    );
    await expect(create({ name: 'young', timestamp: '2001-01-01T00:00:00Z' })).rejects.toEqual(
      refused(400, /the history of database .* is kept since/),
    );
    await expect(create({ name: 'young', timestamp: '2999-01-01T00:00:00Z' })).rejects.toEqual(refused(400, /future/));
    await expect(api.databases.get('none')).rejects.toEqual(refused(404, /could not find/));
    await api.databases.create('none');
    await expect(api.databases.create('none', { seed: { type: 'database', name: 'young' } })).rejects.toEqual(
      refused(409, 'database with name none already exists'),
    );
  });

  it('are followed by deleted databases that come back, as long as their name is free', async () => {
    const { api, call } = local;
    const { id } = await api.databases.create('phoenix');
    await execute('phoenix', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const undelete = async (which: string, body?: unknown) =>
      call('POST', `/v1/organizations/default/deleted-databases/${which}/undelete`, body ?? {});
    expect(await undelete('phoenix')).toMatchObject({ status: 404, body: { code: 'DELETED_DATABASE_NOT_FOUND' } });
    await api.databases.delete('phoenix');
    expect((await call('GET', '/v1/deleted-databases')).body['databases']).toContainEqual({
      Name: 'phoenix',
      DbId: id,
      database_type: 'libsql',
      created_at: expect.any(String) as string,
      deleted_at: expect.any(String) as string,
    });
    expect(await undelete('phoenix')).toMatchObject({ status: 200, body: { database: { DbId: id, Name: 'phoenix' } } });
    expect(await execute('phoenix', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    expect((await call('GET', '/v1/deleted-databases')).body['databases']).not.toContainEqual(
      expect.objectContaining({ DbId: id }),
    );

    await api.databases.delete('phoenix');
    await api.databases.create('phoenix');
    expect(await undelete(id)).toMatchObject({ status: 409, body: { code: 'DATABASE_EXISTS' } });
    expect(await undelete(id, { name: 'Not A Name' })).toMatchObject({ status: 400, body: { code: 'INVALID_NAME' } });
    expect(await undelete(id, { name: 'phoenix-2' })).toMatchObject({ status: 200, body: { database: { DbId: id } } });
    expect(await execute('phoenix-2', 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    await expect(execute('phoenix', 'SELECT n FROM t')).rejects.toThrow(/no such table/);
  });

  it('cannot be made of a deleted database, whose group may be gone, too', async () => {
    const { api, call } = local;
    await api.groups.create('brief', 'local');
    const { id } = await api.databases.create('ash', { group: 'brief' });
    await api.groups.delete('brief');
    await expect(api.databases.create('x', { seed: { type: 'database', name: 'ash' } })).rejects.toEqual(
      refused(404, /could not find/),
    );
    expect(await call('POST', `/v1/deleted-databases/${id}/undelete`)).toMatchObject({
      status: 400,
      body: { code: 'GROUP_UNKNOWN' },
    });
  });
});
