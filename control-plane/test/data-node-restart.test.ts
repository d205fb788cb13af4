/** The data node is killed under the control plane's hands: calls that can wait do. */
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('a data node that is killed', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => local.stop());

  it('comes back on the same ports, and no call fails meanwhile', async () => {
    const { api, system, open } = local;
    await api.databases.create('before');
    const { jwt } = await api.databases.createToken('before');
    await open('before', jwt).batch(['CREATE TABLE t (v)', 'INSERT INTO t VALUES (1)'], 'write');

    const firstPid = system.processes().dataNode!;
    process.kill(firstPid, 'SIGKILL');
    const [created, listed, token] = await Promise.all([
      api.databases.create('during'),
      api.databases.list(),
      api.databases.createToken('before'),
    ]);
    expect(created.name).toBe('during');
    expect(listed.map((database) => database.name)).toContain('before');
    expect(token.jwt).not.toBe(jwt);
    await local.reported(/the data node is running again/);
    expect(system.processes().dataNode).not.toBe(firstPid);
    expect((await open('before', jwt).execute('SELECT v FROM t')).rows).toEqual([{ v: 1 }]);
    const during = (await api.databases.createToken('during')).jwt;
    expect((await open('during', during).execute('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('does not make a repeated creation a second database', async () => {
    const { api, system } = local;
    for (let round = 0; round < 2; round += 1) {
      const creating = Promise.all([1, 2, 3].map(async (n) => api.databases.create(`r${round}-${n}`)));
      process.kill(system.processes().dataNode!, 'SIGKILL');
      const created = await creating;
      const listed = new Map((await api.databases.list()).map((database) => [database.name, database.id]));
      for (const { name, id } of created) expect(listed.get(name)).toBe(id);
    }
  });
});
