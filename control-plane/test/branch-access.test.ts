/** Who may not read a database may not read a branch of it. */
import { parseVerificationKeySet } from '@turso-byoc/data-plane/auth/verification-key-set.js';
import { PublishedRules } from '@turso-byoc/data-plane/auth/published-rules.js';
import { databaseTokenAudience } from '@turso-byoc/data-plane/auth/claims.js';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { eventually } from './support/platform-caller.js';

const lists = { allowed_ips: ['10.0.0.0/8'], allowed_aws_vpc_ids: ['vpce-1a'] };

describe('a branch', () => {
  let api: ApiForTests;
  let sleptMs: number;
  beforeEach(async () => {
    sleptMs = 0;
    // Time passes as fast as somebody waits for it.
    const sleep = async (ms: number): Promise<void> => void (sleptMs += ms);
    api = await startApiForTests({ clock: { now: () => Date.now() + sleptMs, sleep } });
    await api.call('POST', '/v1/databases', { name: 'parent' });
  });
  afterEach(async () => api.close());

  const path = (name: string): string => `/v1/databases/${name}/configuration`;
  const configure = async (name: string, body: object) => api.call('PATCH', path(name), body);
  const branch = async (name: string, of: string) =>
    api.call('POST', '/v1/databases', { name, seed: { type: 'database', name: of } });
  const names = (): string[] => [...api.node.databases.values()].map(({ name }) => name);

  /** What a data node makes of a request from an address for a database, by the rules that are published now. */
  async function judged(id: string, address: string): Promise<string> {
    const { kid, publicKey } = api.signer;
    const keys = {
      format: 'turso-byoc/verification-keys/1',
      version: 1,
      keys: [{ kid, algorithm: 'Ed25519', publicKey }],
    };
    const rules = new PublishedRules(api.store);
    await rules.read(parseVerificationKeySet(Buffer.from(JSON.stringify(keys))).keys);
    const claims = { aud: databaseTokenAudience, iat: 1, jti: 'j', a: 'rw', id } as const;
    try {
      rules.judge(claims, { id, group: { id: 'none' } }, () => ({ address, vpcEndpoint: 'vpce-1a' }));
      return 'works';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  it('may be read from where its parent may, by rules that are published before it is there', async () => {
    await configure('parent', { ...lists, size_limit: '1mb' });
    const whenPublished: string[][] = [];
    api.store.beforeWrite = async () => void whenPublished.push(names());
    const created = await branch('copy', 'parent');
    expect(created).toMatchObject({ status: 200 });
    expect(whenPublished.length).toBeGreaterThan(0);
    expect(whenPublished.flat()).not.toContain('copy');
    expect(sleptMs).toBeGreaterThanOrEqual(10_000);
    const { DbId } = created.body.database as { DbId: string };
    expect(await judged(DbId, '192.0.2.1')).toBe('ORIGIN_FORBIDDEN');
    expect(await judged(DbId, '10.1.2.3')).toBe('works');
    expect((await api.call('GET', path('copy'))).body).toMatchObject({ ...lists, block_reads: false, size_limit: '' });
    // And its own branches, whatever becomes of the parent's lists.
    await configure('parent', { allowed_ips: [], allowed_aws_vpc_ids: [] });
    expect(await branch('grandchild', 'copy')).toMatchObject({ status: 200 });
    expect((await api.call('GET', path('grandchild'))).body).toMatchObject(lists);
  });

  it('of a database whose reads are blocked is blocked, until its own configuration says otherwise', async () => {
    await configure('parent', { block_reads: true, block_writes: true });
    const { DbId } = (await branch('copy', 'parent')).body.database as { DbId: string };
    expect(await judged(DbId, '10.1.2.3')).toBe('BLOCKED');
    expect((await api.call('GET', path('copy'))).body).toMatchObject({ block_reads: true, block_writes: false });
    await configure('copy', { block_reads: false });
    expect(await judged(DbId, '10.1.2.3')).toBe('works');
  });

  it('is not made while its rules cannot be published, and has them when it is made later', async () => {
    await configure('parent', lists);
    api.store.beforeWrite = async () => Promise.reject(new Error('away'));
    expect((await branch('copy', 'parent')).status).toBeGreaterThanOrEqual(500);
    expect(names()).toEqual(['parent']);
    api.store.beforeWrite = async () => undefined;
    const found = await eventually(
      async () => api.call('GET', '/v1/databases/copy'),
      ({ status }) => status === 200,
    );
    expect(await judged((found.body.database as { DbId: string }).DbId, '192.0.2.1')).toBe('ORIGIN_FORBIDDEN');
  });

  it('of a database without such rules costs no request of the control store', async () => {
    await configure('parent', { size_limit: '1mb' });
    let reads = 0;
    const get = api.store.get.bind(api.store);
    api.store.get = async (key) => {
      reads += 1;
      return get(key);
    };
    expect(await branch('copy', 'parent')).toMatchObject({ status: 200 });
    expect(reads).toBe(0);
    expect(sleptMs).toBeLessThan(10_000);
  });
});
