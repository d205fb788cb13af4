/** Pulls under virtual time: folds, other owners, other data keys, collections, branches and restored backups. */
import { preparePull } from '../../src/database/pull-updates.js';
import type { PullRequest } from '../../src/sync/pull-request.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { decodePull, type PullAnswer } from '../support/pulls.js';
import { sampleId, StorageWorld, type StoredSample } from './storage-node.js';

const hourMs = 3_600_000;
const policy = { historyMs: 48 * hourMs };
const id = sampleId(1);

async function pull(sample: StoredSample, asked: Partial<PullRequest>): Promise<PullAnswer> {
  const request = { encoding: 'raw' as const, longPollTimeoutMs: 0, ...asked };
  const answered = async (): Promise<PullAnswer> => {
    const { body } = await preparePull(sample.node.context, sample.owned, request, async () => []);
    const parts: Buffer[] = [];
    for await (const part of body) parts.push(part);
    return decodePull(Buffer.concat(parts));
  };
  return sample.node.world.runtime.run(answered());
}

function imageOf({ pages, databasePages }: PullAnswer, before: Buffer = Buffer.alloc(0)): Buffer {
  const image = Buffer.alloc(databasePages * 4096);
  before.copy(image);
  for (const [page, content] of pages) content.copy(image, (page - 1) * 4096);
  return image;
}

it.each(testSeeds(3))('a replica follows, and reads what is a day old, whatever happens: seed %i', async (seed) => {
  const random = seededRandom(seed);
  const world = new StorageWorld();
  let node = await world.node(undefined, policy);
  let sample = await node.create(id);
  await sample.write(random, 5, 100);
  const first = await pull(sample, {});
  const begun = imageOf(first);
  expect(begun.equals(sample.sample.image)).toBe(true);
  let { revision } = first;
  let replica = begun;
  for (let hours = 0; hours < 24; hours += 3) {
    await sample.write(random, 1 + random.below(4), 100);
    const action = random.below(5);
    if (action < 2) await sample.fold();
    else if (action === 2) await sample.collect();
    else if (action === 3) {
      await sample.rekey();
      if (random.below(2) === 0) await sample.reseal();
    } else {
      node = await world.node(undefined, policy);
      sample = await node.open(id);
    }
    await world.runtime.advance(3 * hourMs);
    const old = await pull(sample, { serverRevision: first.revision });
    expect(imageOf(old).equals(begun)).toBe(true);
    if (random.below(3) === 0) continue;
    const next = await pull(sample, { clientRevision: revision });
    replica = imageOf(next, replica);
    expect(replica.equals(sample.sample.image)).toBe(true);
    const nothing = await pull(sample, { clientRevision: next.revision });
    expect([nothing.pages.size, nothing.databasePages]).toEqual([0, next.databasePages]);
    ({ revision } = next);
  }
});

it('what is not kept any more is named so, and who has it gets everything anew', async () => {
  const random = seededRandom(5);
  const world = new StorageWorld();
  const sample = await (await world.node(undefined, policy)).create(id);
  await sample.write(random, 3, 60);
  const { revision } = await pull(sample, {});
  for (let day = 0; day < 4; day++) {
    await sample.write(random, 3, 60);
    await sample.fold();
    await world.runtime.advance(24 * hourMs);
  }
  await sample.collect();
  await expect(pull(sample, { serverRevision: revision })).rejects.toMatchObject({ code: 'REVISION_EXPIRED' });
  const anew = await pull(sample, { clientRevision: revision });
  expect(imageOf(anew).equals(sample.sample.image)).toBe(true);
  expect(anew.pages.size).toBe(anew.databasePages);
});

it('a branch does not take the revisions of its parent, and gives out its own', async () => {
  const random = seededRandom(6);
  const world = new StorageWorld();
  const parent = await (await world.node(undefined, policy)).create(id);
  await parent.write(random, 3, 60);
  await parent.fold();
  await parent.write(random, 2, 60);
  const { revision } = await pull(parent, {});
  const child = await parent.branch(sampleId(2));
  await expect(pull(child, { clientRevision: revision })).rejects.toMatchObject({ code: 'REVISION_INVALID' });
  const own = await pull(child, {});
  expect(imageOf(own).equals(child.sample.image)).toBe(true);
  await child.write(random, 3, 60);
  await child.fold();
  const next = await pull(child, { clientRevision: own.revision });
  expect(imageOf(next, imageOf(own)).equals(child.sample.image)).toBe(true);
  await expect(pull(parent, { serverRevision: next.revision })).rejects.toMatchObject({ code: 'REVISION_INVALID' });
});

it('a revision from after a backup that was restored is not taken for another commit of its number', async () => {
  const random = seededRandom(7);
  const world = new StorageWorld();
  const sample = await (await world.node(undefined, policy)).create(id);
  await sample.write(random, 3, 60);
  await sample.fold();
  const copied = new StorageWorld(world);
  for (const store of ['dataStore', 'logStore'] as const) {
    for (const [key, { body }] of world[store].objects) await copied[store].put(key, body, { ifAbsent: true });
  }
  await sample.write(random, 2, 60);
  const ahead = await pull(sample, {});

  const restored = await (await copied.node(undefined, policy)).open(id);
  // Not there yet, then there as another one.
  for (const commits of [1, 1, 1]) {
    const anew = await pull(restored, { clientRevision: ahead.revision });
    expect(anew.pages.size).toBe(anew.databasePages);
    expect(imageOf(anew).equals(restored.sample.image)).toBe(true);
    await expect(pull(restored, { serverRevision: ahead.revision })).rejects.toMatchObject({
      code: 'REVISION_EXPIRED',
    });
    await copied.runtime.advance(hourMs);
    await restored.write(random, commits, 60);
  }
});
