/** What becomes of a creation whose key went with the request that brought it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../test/support/manual-clock.js';
import { CatalogConnection } from '../catalog/catalog-connection.js';
import { findDatabase } from '../catalog/databases.js';
import { findGroup } from '../catalog/groups.js';
import { migrateCatalog } from '../catalog/migrations.js';
import { AdminRefusal, type AdminClient, type AdminDatabase } from '../data-node/admin-client.js';
import { DatabaseLifecycle, type DatabaseRequest } from './database-lifecycle.js';

const key = Buffer.alloc(32, 0xa7).toString('base64');
/** The data plane's records, and whether a call reaches it. */
class ListedDatabases {
  readonly databases = new Map<string, AdminDatabase>();
  readonly deleted = new Set<string>();
  readonly held = new Set<string>();
  isAway = false;

  async create(database: AdminDatabase): Promise<void> {
    if (this.isAway) throw new Error('away');
    if (this.deleted.has(database.id)) throw new AdminRefusal(409, 'DATABASE_EXISTS', 'the id was used before');
    const existing = this.databases.get(database.id);
    if (existing && existing.encryption?.key !== database.encryption?.key) {
      throw new AdminRefusal(403, 'ENCRYPTION_KEY_WRONG', 'not the key');
    }
    if (database.branch && database.encryption?.key !== key) {
      throw new AdminRefusal(403, 'ENCRYPTION_KEY_WRONG', 'not the key of the parent');
    }
    this.databases.set(database.id, database);
  }

  async exists(id: string): Promise<boolean> {
    return this.databases.has(id);
  }

  async isHeld(id: string): Promise<boolean> {
    return this.held.has(id);
  }

  async delete(id: string): Promise<void> {
    if (this.held.has(id)) throw new AdminRefusal(409, 'DATABASE_HELD', 'held');
    this.databases.delete(id);
    this.deleted.add(id);
  }
}

describe('a creation with a key that a client holds', () => {
  let directory: string;
  let catalog: CatalogConnection;
  let clock: ManualClock;
  let node: ListedDatabases;
  let lifecycle: DatabaseLifecycle;
  let request: DatabaseRequest;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lifecycle-'));
    clock = new ManualClock();
    catalog = new CatalogConnection({
      url: `file:${directory}/catalog.db`,
      mintToken: async () => ({ jwt: '', jti: '', mintedAtMs: clock.now() }) as never,
      tokenRecord: () => 'SELECT 1',
      clock,
      retryBudgetMs: 0,
      attemptTimeoutMs: 1_000,
    });
    await migrateCatalog(catalog, clock, { organization: 'acme', primaryRegion: 'local' });
    request = {
      organization: 'acme',
      name: 'vault',
      group: (await findGroup(catalog, 'acme', 'default'))!,
      engine: 'libsql',
      clientEncryption: { key, cipher: 'aegis256' },
    };
    node = new ListedDatabases();
    lifecycle = new DatabaseLifecycle(catalog, node as unknown as AdminClient, clock, {
      publish: async () => undefined,
    });
  });
  afterEach(async () => {
    catalog.close();
    await rm(directory, { recursive: true });
  });

  const row = async () => findDatabase(catalog, 'acme', 'vault');

  /** A row of a creation that never reached the data plane. */
  async function cutOff() {
    node.isAway = true;
    await expect(lifecycle.create(request)).rejects.toThrow('away');
    node.isAway = false;
    const left = await row();
    if (!left) throw new Error('no row');
    return left;
  }

  it('leaves the cipher in the catalog, and the key nowhere', async () => {
    const record = await lifecycle.create(request);
    expect(record).toMatchObject({ state: 'ready', encryptionCipher: 'aegis256' });
    expect(node.databases.get(record.uuid)?.encryption).toEqual({ key, cipher: 'aegis256' });
    const stored = await readFile(join(directory, 'catalog.db'));
    for (const form of [Buffer.alloc(32, 0xa7), key.replace(/=+$/, ''), Buffer.alloc(32, 0xa7).toString('hex')]) {
      expect(stored.includes(form)).toBe(false);
    }
    expect(stored.includes('aegis256')).toBe(true);
  });

  it('that was cut off is finished by who brings the key, and given up when nobody does', async () => {
    const left = await cutOff();
    expect(left).toMatchObject({ state: 'creating', encryptionCipher: 'aegis256' });
    expect(await lifecycle.finishLeftCreation(left)).toBe(false);
    expect((await lifecycle.create(request)).uuid).toBe(left.uuid);
    await lifecycle.delete((await row())!);

    const another = await cutOff();
    clock.nowMs += 599_999;
    expect(await lifecycle.finishLeftCreation(another)).toBe(false);
    clock.nowMs += 1;
    await expect(lifecycle.finishLeftCreation(another)).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    expect(await row()).toBeUndefined();
    // A call of the one who began it, if it still comes, makes nothing.
    await expect(node.create({ ...another, id: another.uuid } as never)).rejects.toMatchObject({
      code: 'DATABASE_EXISTS',
    });
    expect((await lifecycle.create(request)).uuid).not.toBe(another.uuid);
  });

  it('that reached the data plane is finished without the key', async () => {
    const left = await cutOff();
    await node.create({ id: left.uuid, encryption: { key, cipher: 'aegis256' } } as never);
    expect(await lifecycle.finishLeftCreation(left)).toBe(true);
    expect(await row()).toMatchObject({ state: 'ready' });
  });

  it('is not taken over by who brings another key or cipher', async () => {
    const left = await cutOff();
    await node.create({ id: left.uuid, encryption: { key, cipher: 'aegis256' } } as never);
    const other = Buffer.alloc(32, 1).toString('base64');
    for (const clientEncryption of [
      { key: other, cipher: 'aegis256' } as const,
      { key, cipher: 'aes256gcm' } as const,
    ]) {
      await expect(lifecycle.create({ ...request, clientEncryption })).rejects.toMatchObject({
        code: 'DATABASE_EXISTS',
      });
    }
    const { clientEncryption: _clientEncryption, ...plain } = request;
    await expect(lifecycle.create(plain)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(await row()).toMatchObject({ uuid: left.uuid, state: 'creating' });
  });

  it('of a branch leaves nothing when the key is not that of its parent', async () => {
    const parent = await lifecycle.create(request);
    const branch: DatabaseRequest = {
      ...request,
      name: 'twig',
      clientEncryption: { key: Buffer.alloc(32, 1).toString('base64'), cipher: 'aegis256' },
      branch: { parent: { uuid: parent.uuid, name: 'vault' } },
    };
    await expect(lifecycle.create(branch)).rejects.toMatchObject({ code: 'DATABASE_REFUSED' });
    expect(await findDatabase(catalog, 'acme', 'twig')).toBeUndefined();
  });

  it('that is deleted before it was made frees its name', async () => {
    const left = await cutOff();
    await lifecycle.delete(left);
    expect(await row()).toBeUndefined();
    expect(node.deleted.has(left.uuid)).toBe(true);
  });

  it('is there as before when a legal hold refuses its deletion, with its group unless that is half gone', async () => {
    const record = await lifecycle.create(request);
    const { group } = request;
    node.held.add(record.uuid);
    await expect(lifecycle.delete(record)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    await expect(lifecycle.deleteGroup(group)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    expect(await row()).toMatchObject({ state: 'ready' });
    expect(await findGroup(catalog, 'acme', 'default')).toBeDefined();
    // The hold comes after the look.
    node.isHeld = async () => false;
    await expect(lifecycle.deleteGroup(group)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    expect(await findGroup(catalog, 'acme', 'default')).toBeUndefined();
    expect(node.databases.has(record.uuid)).toBe(true);
    node.held.clear();
    await lifecycle.deleteGroup(group);
    expect(node.databases.has(record.uuid)).toBe(false);
    expect(await row()).toBeUndefined();
  });
});
