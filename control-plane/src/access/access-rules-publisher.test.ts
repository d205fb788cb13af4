import { PublishedRules } from '@turso-byoc/data-plane/auth/published-rules.js';
import { accessRulesIndexObject } from '@turso-byoc/data-plane/auth/access-rules.js';
import { databaseTokenAudience } from '@turso-byoc/data-plane/auth/claims.js';
import { parseVerificationKeySet } from '@turso-byoc/data-plane/auth/verification-key-set.js';
import { OutcomeUnknownError } from '@turso-byoc/data-plane/object-store/object-store.js';
import { openCatalogForTests, type CatalogForTests } from '../../test/support/catalog-for-tests.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { MemoryObjectStore } from '../../test/support/memory-object-store.js';
import { newSigner } from '../../test/support/new-signer.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { nextGeneration, setBlocks, unpublishedShards } from '../catalog/access-rules.js';
import { AccessRulesPublisher } from './access-rules-publisher.js';

const database = { id: '11111111-1111-4111-8111-111111111111', group: { id: '22222222-2222-4222-8222-222222222222' } };
const other = { ...database, id: '33333333-3333-4333-8333-333333333333' };
const token = (id: string, rid?: number) =>
  ({ aud: databaseTokenAudience, iat: 1, jti: 'j', a: 'rw', id, ...(rid !== undefined && { rid }) }) as const;

describe('AccessRulesPublisher', () => {
  let signer: TokenSigner;
  let files: CatalogForTests;
  let store: MemoryObjectStore;
  const clock = new ManualClock();
  beforeEach(async () => {
    signer = await newSigner();
    files = await openCatalogForTests(signer, clock);
    store = new MemoryObjectStore();
  });
  afterEach(async () => files.close());

  const publisher = (catalog = files.catalog) => new AccessRulesPublisher(store, signer, catalog, clock);
  const rotate = async (id: string) => files.catalog.write(nextGeneration([id]));
  /** What a data node reads. */
  async function read(): Promise<PublishedRules> {
    const keys = {
      format: 'turso-byoc/verification-keys/1',
      version: 1,
      keys: [{ kid: signer.kid, algorithm: 'Ed25519', publicKey: signer.publicKey }],
    };
    const rules = new PublishedRules(store);
    await rules.read(parseVerificationKeySet(Buffer.from(JSON.stringify(keys))).keys);
    return rules;
  }

  it('publishes what a data node follows, and writes nothing while nothing changed', async () => {
    await publisher().publish();
    expect(store.objects.size).toBe(0);
    await rotate(database.id);
    await files.catalog.write(setBlocks(other.id, { reads: false, writes: true }));
    await publisher().publish();
    const rules = await read();
    expect(() => rules.judge(token(database.id), database)).toThrow(
      expect.objectContaining({ code: 'AUTH_JWT_REVOKED' }) as Error,
    );
    expect(rules.judge(token(database.id, 1), database)).toEqual({ writesBlocked: false });
    expect(rules.judge(token(other.id), other)).toEqual({ writesBlocked: true });
    expect(await unpublishedShards(files.catalog)).toEqual([]);
    const before = store.objects.get(accessRulesIndexObject);
    await publisher().publish();
    expect(store.objects.get(accessRulesIndexObject)).toBe(before);
  });

  it('leaves no shard behind that the index does not name', async () => {
    for (let round = 0; round < 3; round += 1) {
      await rotate(database.id);
      await publisher().publish();
    }
    expect(store.objects.size).toBe(2);
    expect((await read()).judge(token(database.id, 3), database)).toEqual({ writesBlocked: false });
  });

  it('loses no change when two replicas publish at once', async () => {
    const second = files.another();
    await Promise.all(
      Array.from({ length: 10 }, async (_each, number) => {
        await rotate(number % 2 === 0 ? database.id : other.id);
        await publisher(number % 3 === 0 ? files.catalog : second).publish();
      }),
    );
    const rules = await read();
    for (const each of [database, other]) {
      expect(() => rules.judge(token(each.id, 4), each)).toThrow();
      expect(rules.judge(token(each.id, 5), each)).toEqual({ writesBlocked: false });
    }
  });

  it('starts again when another replica was faster', async () => {
    await rotate(database.id);
    let isFirst = true;
    store.beforeWrite = async (key) => {
      if (key !== accessRulesIndexObject || !isFirst) return;
      isFirst = false;
      await rotate(other.id);
      await publisher(files.another()).publish();
    };
    await publisher().publish();
    const rules = await read();
    expect(() => rules.judge(token(database.id), database)).toThrow();
    expect(() => rules.judge(token(other.id), other)).toThrow();
  });

  it('settles a write whose outcome nobody knows', async () => {
    await rotate(database.id);
    let failures = 2;
    store.beforeWrite = async () => {
      if (failures > 0) {
        failures -= 1;
        throw new OutcomeUnknownError('no answer');
      }
    };
    await publisher().publish();
    const rules = await read();
    expect(() => rules.judge(token(database.id), database)).toThrow();
  });

  it('gives a catalog that was lost its rules back: what was rotated away or revoked stays so', async () => {
    await rotate(database.id);
    await rotate(database.id);
    await files.catalog.write([
      ...setBlocks(other.id, { reads: false, writes: true }),
      {
        sql: `INSERT INTO minted_tokens (jti, kind, subject, access, minted_by, minted_at_ms, revoked_at_ms)
              VALUES ('lost', 'database', ?, 'rw', 'test', 0, 1)`,
        args: [other.id],
      },
    ]);
    await publisher().publish();
    await files.catalog.write(['DELETE FROM access_rules', 'DELETE FROM minted_tokens']);
    await publisher().takeBack();
    await publisher().takeBack();
    // The next change of a shard publishes it anew from the catalog.
    await rotate(database.id);
    await files.catalog.write(setBlocks(other.id, { reads: false, writes: true }));
    await publisher().publish();
    const rules = await read();
    expect(() => rules.judge(token(database.id, 2), database)).toThrow();
    expect(rules.judge(token(database.id, 3), database)).toEqual({ writesBlocked: false });
    expect(rules.judge(token(other.id), other)).toEqual({ writesBlocked: true });
    expect(() => rules.judge({ ...token(other.id), jti: 'lost' }, other)).toThrow();
  });

  it('does not build on an index that is damaged', async () => {
    await rotate(database.id);
    await store.put(accessRulesIndexObject, Buffer.from('garbage'), { ifAbsent: true });
    await expect(publisher().publish()).rejects.toMatchObject({ code: 'CONTROL_STORE_CORRUPT' });
    expect(await unpublishedShards(files.catalog)).toHaveLength(1);
  });

  it('shares one publishing among many who ask at once', async () => {
    let writes = 0;
    store.beforeWrite = async (key) => {
      if (key === accessRulesIndexObject) writes += 1;
    };
    const one = publisher();
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await rotate(database.id);
        await one.publish();
      }),
    );
    expect(writes).toBeLessThan(20);
    expect(await unpublishedShards(files.catalog)).toEqual([]);
  });
});
