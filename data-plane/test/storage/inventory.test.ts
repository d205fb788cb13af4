/** What a node tells of databases that it neither opens nor owns. */
import { listDatabases, storedBytes } from '../../src/database/database-inventory.js';
import { seededRandom } from '../seeded-random.js';
import { sampleId, StorageWorld } from './storage-node.js';

describe('the inventory', () => {
  it('lists every database that there is or was, page by page, each once', async () => {
    const world = new StorageWorld();
    const node = await world.node();
    const ids = [1, 2, 3, 4, 5].map(sampleId);
    for (const id of ids) await node.create(id);
    await node.delete(sampleId(2));
    const { context } = await world.node();
    const listed = [];
    for (let after = undefined as (typeof ids)[number] | undefined; ;) {
      const page = await listDatabases(context, after, 2);
      listed.push(...page);
      after = page.at(-1)?.id;
      if (page.length < 2) break;
    }
    expect(listed.map(({ id }) => id).sort()).toEqual(ids);
    expect(listed.filter(({ deletedAtMs }) => deletedAtMs !== undefined).map(({ id }) => id)).toEqual([sampleId(2)]);
    expect(listed.find(({ id }) => id === sampleId(1))).toMatchObject({ organization: 'acme', group: { id: 'g1' } });
  });

  it('says how large a database is in the store: nothing before it is folded, then whole pages', async () => {
    const node = await new StorageWorld().node();
    const id = sampleId(1);
    const sample = await node.create(id);
    expect(await storedBytes(node.context, id)).toBe(0);
    await sample.write(seededRandom(3), 3);
    expect(await storedBytes(node.context, id)).toBe(0);
    await sample.fold();
    const pages = sample.sample.images.at(-1)!.length;
    expect(await storedBytes(node.context, id)).toBe(pages);
    expect(pages % 4096).toBe(0);
    await node.delete(id);
    await expect(storedBytes(node.context, id)).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    await expect(storedBytes(node.context, sampleId(9))).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
  });
});
