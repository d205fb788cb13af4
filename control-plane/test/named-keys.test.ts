/** Keys that groups and databases are created with, through the Platform API down to the data node. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createKey, setKeyState } from '@turso-byoc/data-plane/keys/local-key-service.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('keys of groups and databases', () => {
  let local: LocalSystemForTests;
  let keys: string;
  beforeAll(async () => {
    local = await startLocalSystemForTests({ environment: { TURSO_BYOC_KEY_PROBE_MS: '200' } });
    keys = join(local.dataDirectory, 'keys');
    for (const id of ['of-group', 'of-database']) await createKey(keys, id, Date.now());
  });
  afterAll(async () => local.stop());

  const create = async (body: Record<string, unknown>): Promise<{ status: number; body: any }> =>
    local.call('POST', '/v1/databases', body);
  /** What a client of each database meets now. */
  const meet = async (...names: string[]): Promise<string[]> =>
    Promise.all(
      names.map(async (name) => {
        const token = await local.call('POST', `/v1/databases/${name}/auth/tokens`);
        return local
          .open(name, token.body['jwt'] as string)
          .execute('SELECT 1')
          .then(
            () => 'works',
            (error: unknown) => String(error),
          );
      }),
    );

  it('wrap the data keys of what is created with them, and of nothing else', async () => {
    const group = { name: 'keyed', remote_encryption: { kms_key_arn: 'of-group' } };
    expect(await local.call('POST', '/v1/groups', group)).toMatchObject({ status: 200, body: { group } });
    expect(await local.call('GET', '/v1/groups/keyed')).toMatchObject({ body: { group } });
    const own = { remote_encryption: { kms_key_arn: 'of-database' } };
    expect(await create({ name: 'plain' })).toMatchObject({ status: 200 });
    expect(await create({ name: 'grouped', group: 'keyed' })).toMatchObject({ status: 200 });
    expect(await create({ name: 'own', group: 'keyed', ...own })).toMatchObject({ status: 200 });
    const seed = { type: 'database', name: 'own' };
    expect(await create({ name: 'branch', group: 'keyed', seed })).toMatchObject({ status: 200 });
    const all = ['plain', 'grouped', 'own', 'branch'];
    expect(await meet(...all)).toEqual(['works', 'works', 'works', 'works']);

    const refused = expect.stringMatching(/KEY_REVOKED|refuses the key/) as string;
    const soon = async (expected: string[]): Promise<void> => {
      for (const untilMs = Date.now() + 60_000; ;) {
        const now = await meet(...all);
        try {
          expect(now).toEqual(expected);
          return;
        } catch (error) {
          if (Date.now() > untilMs) throw error;
        }
      }
    };
    await setKeyState(keys, 'of-group', 'disabled');
    await soon(['works', refused, 'works', 'works']);
    await setKeyState(keys, 'of-group', 'enabled');
    await setKeyState(keys, 'of-database', 'disabled');
    await soon(['works', 'works', refused, refused]);
    await setKeyState(keys, 'of-database', 'enabled');
    await soon(['works', 'works', 'works', 'works']);
  });

  it('must be there: a creation with another one fails, and leaves the name free', async () => {
    const name = `free-${randomUUID().slice(0, 8)}`;
    for (const [kms_key_arn, says] of [
      ['nobody-made-it', /refuses the key/],
      ['../default', /cannot be a key/],
    ] as const) {
      const { status, body } = await create({ name, remote_encryption: { kms_key_arn } });
      expect([status, body.code]).toEqual([400, 'DATABASE_REFUSED']);
      expect(JSON.stringify(body)).toMatch(says);
    }
    expect(await create({ name })).toMatchObject({ status: 200 });
  });
});
