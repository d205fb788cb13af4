/** What data nodes counted, added up in the catalog: exactly once, whoever collects, and answered for the days asked for. */
import pino from 'pino';
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import type { SizeEntry, UsageBatch, UsageEntry } from '@turso-byoc/data-plane/metering/usage-batch.js';
import { UsageCollector } from '../src/metering/usage-collector.js';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { ManualClock } from './support/manual-clock.js';

const hourMs = 3_600_000;
const epochs = ['a', 'b'].map((letter) => letter.repeat(32) as NodeEpoch);
const logger = pino({ level: 'silent' });

describe('usage', () => {
  let api: ApiForTests;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock(Date.UTC(2026, 4, 20, 12));
    api = await startApiForTests({ clock });
  });
  afterEach(async () => api.close());

  const create = async (name: string): Promise<DatabaseId> =>
    (await api.call('POST', '/v1/databases', { name })).body.database.DbId as DatabaseId;
  const batch = (epoch: number, sequence: number, databases: UsageEntry[], atMs = clock.nowMs): UsageBatch => ({
    epoch: epochs[epoch]!,
    sequence,
    hourMs: Math.floor(atMs / hourMs) * hourMs,
    databases,
  });
  const left = (...batches: UsageBatch[]): number => api.node.usage.push(...batches);
  const usage = async (path: string) => {
    // The last collection is not new any more.
    clock.nowMs += 11_000;
    const { status, body } = await api.call('GET', path);
    return { status, ...(body.database ?? body.organization ?? body) };
  };
  const used = (rows_read: number, rows_written: number, bytes_synced: number, queries: number) => ({
    rows_read,
    rows_written,
    bytes_synced,
    queries,
  });

  it('is of a database, in the shape of the Platform API, and of the organization', async () => {
    const [shop, blog] = [await create('shop'), await create('blog')];
    left(
      batch(0, 1, [[shop, 10, 2, 4_096, 3]]),
      batch(1, 1, [
        [blog, 1, 1, 1, 1],
        [shop, 1, 0, 0, 1],
      ]),
    );
    const counts = { ...used(11, 2, 4_096, 4), storage_bytes: 4_096 };
    expect(await usage('/v1/databases/shop/usage')).toEqual({
      status: 200,
      uuid: shop,
      instances: [{ uuid: shop, usage: counts }],
      usage: counts,
      total: counts,
    });
    expect(api.node.usage).toEqual([]);
    const whole = await usage('/v1/organizations/default/usage');
    expect(whole.usage).toEqual({
      ...used(12, 3, 4_097, 5),
      storage_bytes: 0,
      databases: 2,
      groups: 1,
      locations: 1,
    });
    const listed = whole.databases as { uuid: string; usage: object }[];
    expect(Object.fromEntries(listed.map(({ uuid, usage: each }) => [uuid, each]))).toMatchObject({
      [shop]: used(11, 2, 4_096, 4),
      [blog]: used(1, 1, 1, 1),
    });
  });

  it('is of whole days, and of the present month if nothing is asked for', async () => {
    const shop = await create('shop');
    const at = (month: number, day: number, hour = 0): number => Date.UTC(2026, month - 1, day, hour);
    const days = [at(4, 30, 23), at(5, 1), at(5, 19, 23), at(5, 20, 5)];
    left(...days.map((atMs, index) => batch(0, index + 1, [[shop, 10 ** index, 0, 0, 1]], atMs)));
    const read = async (query: string): Promise<unknown> =>
      (await usage(`/v1/databases/shop/usage${query}`)).usage?.rows_read;
    expect(await read('')).toBe(1_110);
    expect(await read('?from=2026-04-30T23:30:00Z')).toBe(1_111);
    expect(await read('?from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00Z')).toBe(1);
    expect(await read('?from=2026-05-01T00:00:00Z&to=2026-05-01T00:00:01Z')).toBe(10);
    expect(await read('?from=2026-05-20T01:00:00%2B02:00&to=2026-05-20T02:00:00%2B02:00')).toBe(100);
    expect(await read('?from=2026-05-20T00:00:00Z&to=2026-05-20T00:00:00Z')).toBe(0);
    expect(await read('?from=2030-01-01T00:00:00Z')).toBe(0);
    expect(await read('?to=')).toBe(1_110);
    for (const query of [
      '?from=yesterday',
      '?to=2026-13-01T00:00:00Z',
      '?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z',
    ]) {
      for (const path of ['/v1/databases/shop/usage', '/v1/usage']) {
        expect(await usage(path + query)).toMatchObject({ status: 400, code: 'PERIOD_INVALID' });
      }
    }
  });

  it('has how large databases are, by their last commit, and the sum of those of an organization and of a group', async () => {
    const [shop, blog] = [await create('shop'), await create('blog')];
    const sized = (sequence: number, ...sizes: SizeEntry[]): number => left({ ...batch(0, sequence, []), sizes });
    const stored = async (path: string): Promise<unknown> => (await usage(path)).usage.storage_bytes;
    const sums = async (): Promise<unknown> =>
      (await api.catalog.read('SELECT scope, databases, stored_bytes FROM counts ORDER BY scope, subject')).rows.map(
        (row) => [row['scope'], row['databases'], row['stored_bytes']],
      );
    // Nobody told yet: what lies in the store.
    expect([await stored('/v1/databases/shop/usage'), await stored('/v1/usage')]).toEqual([4_096, 0]);
    sized(1, [shop, 7, 10], [blog, 0, 2]);
    expect([await stored('/v1/databases/shop/usage'), await stored('/v1/usage')]).toEqual([40_960, 49_152]);
    // Of another node, late: what it tells is older.
    left({ ...batch(1, 1, []), sizes: [[shop, 6, 99]] });
    expect(await stored('/v1/usage')).toBe(49_152);
    sized(2, [shop, 8, 3]);
    expect(await stored('/v1/usage')).toBe(20_480);
    await api.call('POST', '/v1/databases', { name: 'branch', seed: { type: 'database', name: 'shop' } });
    const whole = await usage('/v1/usage');
    expect(whole.usage.storage_bytes).toBe(32_768);
    const listed = whole.databases as { usage: { storage_bytes: number } }[];
    expect(listed.map((each) => each.usage.storage_bytes).sort((one, other) => one - other)).toEqual([
      8_192, 12_288, 12_288,
    ]);
    await api.call('DELETE', '/v1/databases/shop');
    expect([await stored('/v1/usage'), await sums()]).toEqual([
      20_480,
      [
        ['group', 2, 20_480],
        ['organization', 2, 20_480],
      ],
    ]);
    expect((await api.call('POST', `/v1/deleted-databases/${shop}/undelete`)).status).toBe(200);
    expect([await stored('/v1/databases/shop/usage'), await stored('/v1/usage')]).toEqual([12_288, 32_768]);
    expect((await api.call('POST', '/v1/organizations', { name: 'other' })).status).toBe(200);
    expect((await api.call('POST', '/v1/groups/default/rename', { name: 'shops' })).status).toBe(200);
    const moved = await api.call('POST', '/v1/groups/shops/transfer', { organization: 'other' });
    expect([moved.status, await stored('/v1/usage'), await sums()]).toEqual([
      200,
      0,
      [
        ['group', 3, 32_768],
        ['organization', 0, 0],
        ['organization', 3, 32_768],
      ],
    ]);
  });

  it('is counted once, though two replicas collect at once, and one dies before it has removed what it added', async () => {
    const shop = await create('shop');
    const admin = {
      usage: async () => ({ batches: [...api.node.usage], more: false }),
      usageCollected: async () => Promise.reject(new Error('this replica dies')),
    };
    const collectors = [api.catalog, api.another()].map(
      (catalog) => new UsageCollector({ catalog, admin, clock, logger }),
    );
    let counted = 0;
    for (let sequence = 1; sequence <= 5; sequence++) {
      left(batch(0, sequence, [[shop, sequence, 0, 0, 1]]), batch(1, sequence, [[shop, sequence, 0, 0, 1]]));
      counted += 2 * sequence;
      await Promise.all(collectors.map(async (collector) => collector.collect()));
    }
    expect(api.node.usage).toHaveLength(10);
    expect((await usage('/v1/databases/shop/usage')).usage).toMatchObject(used(counted, 0, 0, 10));
    expect(api.node.usage).toEqual([]);
    // One that a node stored again, after it had been removed: its answer was late.
    left(batch(0, 3, [[shop, 3, 0, 0, 1]]));
    expect((await usage('/v1/databases/shop/usage')).usage.queries).toBe(10);
    expect((await usage('/v1/usage')).usage.queries).toBe(10);
    expect(api.node.usage).toEqual([]);
  });

  it('goes on in the organization when a database is deleted, and leaves out what nobody knows', async () => {
    const shop = await create('shop');
    const unknown = '99999999-9999-4999-8999-999999999999' as DatabaseId;
    left(
      batch(0, 1, [
        [shop, 1, 0, 0, 1],
        [unknown, 50, 0, 0, 1],
      ]),
    );
    await usage('/v1/usage');
    await api.call('DELETE', '/v1/databases/shop');
    left(
      batch(0, 2, [
        [shop, 2, 0, 0, 1],
        [unknown, 50, 0, 0, 1],
      ]),
    );
    const { usage: total, databases } = await usage('/v1/usage');
    expect([total.rows_read, databases]).toEqual([3, []]);
    expect((await usage('/v1/databases/shop/usage')).status).toBe(404);
  });

  it('is answered from the catalog while the data nodes give none, and taken up after', async () => {
    const shop = await create('shop');
    left(batch(0, 1, [[shop, 1, 0, 0, 1]]));
    await usage('/v1/usage');
    api.node.failsUsage = true;
    left(batch(0, 2, [[shop, 1, 0, 0, 1]]));
    expect((await usage('/v1/usage')).usage.queries).toBe(1);
    api.node.failsUsage = false;
    expect((await usage('/v1/usage')).usage.queries).toBe(2);
  });

  it('is collected without being asked for, every minute, and forgotten after 400 days', async () => {
    const shop = await create('shop');
    const pages: number[] = [];
    const stopAfter = 3;
    const collector = new UsageCollector({
      catalog: api.catalog,
      admin: {
        usage: async () => {
          pages.push(clock.nowMs);
          if (pages.length === stopAfter) void collector.stop();
          return { batches: pages.length === 1 ? [batch(0, 1, [[shop, 1, 0, 0, 1]])] : [], more: false };
        },
        usageCollected: async () => undefined,
      },
      clock,
      logger,
    });
    collector.start();
    while (pages.length < stopAfter) await new Promise((resolve) => setImmediate(resolve));
    await collector.stop();
    expect(pages.map((atMs) => atMs - pages[0]!)).toEqual([0, 60_000, 120_000]);
    const from = '?from=2026-01-01T00:00:00Z';
    expect((await usage(`/v1/usage${from}`)).usage.queries).toBe(1);
    clock.nowMs += 401 * 24 * hourMs;
    left(batch(1, 1, [[shop, 1, 0, 0, 1]]));
    expect((await usage(`/v1/usage${from}`)).usage.queries).toBe(1);
    const { rows } = await api.catalog.read('SELECT epoch FROM usage_sources');
    expect(rows.map((row) => row['epoch'])).toEqual([epochs[1]]);
  });

  it('has the statements that cost most, of the last day or since a time', async () => {
    await create('shop');
    const query = { query: 'SELECT * FROM t WHERE a = ?', rows_read: 7, rows_written: 0, count: 3 };
    const path = '/v1/databases/shop';
    expect((await api.call('GET', `${path}/stats`)).body).toEqual({ top_queries: [query] });
    expect((await api.call('GET', `${path}/usage/queries`)).body).toEqual([query]);
    expect((await api.call('GET', `${path}/usage/queries?from=2026-05-20T10:00:00Z`)).body).toEqual([query]);
    const day = clock.nowMs - 24 * hourMs;
    expect(api.node.statementsSince).toEqual([day, day, Date.UTC(2026, 4, 20, 10)]);
    expect((await api.call('GET', `${path}/usage/queries?from=noon`)).body.code).toBe('PERIOD_INVALID');
    expect((await api.call('GET', '/v1/databases/none/usage/queries')).status).toBe(404);
  });

  it('can be seen by whoever may see the database', async () => {
    const shop = await create('shop');
    left(batch(0, 1, [[shop, 1, 0, 0, 1]]));
    const viewer = await api.addUser('vera', 'viewer');
    const stranger = await api.addUser('sam');
    for (const path of ['/v1/organizations/default/usage', '/v1/organizations/default/databases/shop/usage']) {
      expect((await api.call('GET', path, undefined, viewer)).status).toBe(200);
      expect((await api.call('GET', path, undefined, stranger)).status).toBeGreaterThanOrEqual(403);
      expect((await api.call('GET', path, undefined, null)).status).toBe(401);
    }
  });
});
