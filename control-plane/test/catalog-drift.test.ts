/** Catalog and manifests: what differs is told, what the catalog lost comes back, and nothing is deleted. */
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { ManualClock } from './support/manual-clock.js';

describe('drift between catalog and data plane', () => {
  let api: ApiForTests;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock(Date.now());
    api = await startApiForTests({ clock });
    for (const name of ['one', 'two', 'three']) await api.call('POST', '/v1/databases', { name });
    clock.nowMs += 120_000;
  });
  afterEach(async () => api.close());

  const drift = async () => (await api.call('GET', '/v1/catalog/drift')).body;
  const rebuild = async () => (await api.call('POST', '/v1/catalog/rebuild')).body;

  it('is none after ordinary work', async () => {
    await api.call('POST', '/v1/databases', { name: 'branch', seed: { type: 'database', name: 'one' } });
    await api.call('DELETE', '/v1/databases/two');
    clock.nowMs += 120_000;
    expect(await drift()).toEqual({ manifests: 3, rows: 3, drift: [], rebuilt: 0 });
  });

  it('is put right when the catalog has lost databases, groups and organizations', async () => {
    await api.call('POST', '/v1/organizations', { name: 'lost' });
    await api.call('POST', '/v1/organizations/lost/databases', { name: 'far' });
    const before = (await api.call('GET', '/v1/databases')).body.databases as { Name: string; DbId: string }[];
    await api.catalog.write([
      'DELETE FROM databases',
      "DELETE FROM groups WHERE organization = 'lost'",
      "DELETE FROM members WHERE organization = 'lost'",
      "DELETE FROM organizations WHERE slug = 'lost'",
    ]);
    clock.nowMs += 120_000;
    const found = await drift();
    expect(found).toMatchObject({ manifests: 4, rows: 0, rebuilt: 0 });
    expect(found.drift.map((each: { kind: string }) => each.kind)).toEqual(Array(4).fill('missing in the catalog'));
    expect(await rebuild()).toMatchObject({ rebuilt: 4 });
    expect((await api.call('GET', '/v1/databases')).body.databases).toMatchObject(
      before.map(({ Name, DbId }) => ({ Name, DbId })),
    );
    expect(await api.call('GET', '/v1/organizations/lost/databases/far')).toMatchObject({ status: 200 });
    expect(await drift()).toMatchObject({ manifests: 4, rows: 4, drift: [] });
    expect(await rebuild()).toMatchObject({ rebuilt: 0 });
  });

  it('is told when the data plane does not have what the catalog has; the row stays', async () => {
    const [first, second] = [...api.node.databases.values()];
    api.node.databases.delete(first!.id);
    second!.deletedAtMs = 1;
    const found = await drift();
    expect(found.drift).toEqual([
      {
        kind: 'missing on the data plane',
        database: expect.any(String) as string,
        name: expect.any(String) as string,
        detail: expect.any(String) as string,
      },
      {
        kind: 'missing on the data plane',
        database: expect.any(String) as string,
        name: expect.any(String) as string,
        detail: expect.any(String) as string,
      },
    ]);
    await rebuild();
    expect((await api.call('GET', '/v1/databases')).body.databases).toHaveLength(3);
  });

  it('is told when both have it and do not agree', async () => {
    const [first] = [...api.node.databases.values()];
    first!.name = 'renamed';
    expect((await drift()).drift).toMatchObject([{ kind: 'different', database: first!.id }]);
    expect(await rebuild()).toMatchObject({ rebuilt: 0 });
  });

  it('leaves out the catalog itself, and what is just being made', async () => {
    const base = { group: { id: 'g', name: 'g' }, engine: 'libsql', createdAtMs: clock.now() };
    const [system, young] = [newDatabaseId('libsql', Date.now()), newDatabaseId('libsql', Date.now())];
    api.node.databases.set(system, { ...base, id: system, name: 'catalog', organization: 'system', createdAtMs: 1 });
    api.node.databases.set(young, { ...base, id: young, name: 'young', organization: 'default' });
    expect(await drift()).toMatchObject({ drift: [] });
  });
});
