/** What an instance of a database still does after it was given up must not touch what the next one goes on from. */
import { foldDatabase } from '../../src/database/fold-database.js';
import { ManifestChanges } from '../../src/database/manifest-changes.js';
import { ByocError } from '../../src/errors/catalogue.js';
import { seededRandom } from '../seeded-random.js';
import { newDatabase, sampleId, StorageWorld } from './storage-node.js';

const id = sampleId(1);
const minuteMs = 60_000;
const hold = { reference: 'matter 1', reason: 'a dispute', requestedBy: 'alice' };

const changes: readonly (readonly [string, (open: ManifestChanges) => Promise<unknown>])[] = [
  ['a collection', async (open) => open.collect()],
  ['a hold', async (open) => open.changeHold({ kind: 'place', hold })],
  ['a branch', async (open) => open.branch(newDatabase(sampleId(2)))],
];

it.each(changes)('%s that was under way leaves the list of unfolded fragments as it is', async (_what, change) => {
  const random = seededRandom(3);
  const world = new StorageWorld();
  const node = await world.node(undefined, { historyMs: 10 * minuteMs });
  const { context } = node;
  const sample = await node.create(id);
  for (let round = 0; round < 8; round++) {
    await sample.write(random, 1);
    await sample.fold();
    await world.runtime.advance(3 * minuteMs);
  }
  await sample.write(random, 2);
  const { owned, term } = sample;
  const before = [...context.unfolded.of(id, term).fragments];
  expect(before).not.toEqual([]);

  let defunct: ByocError | undefined;
  const abandon = (): void => undefined;
  const instance = { defunct: () => defunct, durable: async () => undefined, abandon, loseKey: abandon };
  const open = new ManifestChanges(context, owned, instance);
  const { manifests } = context;
  const replace = manifests.replace.bind(manifests);
  manifests.replace = async (base, next) => {
    manifests.replace = replace;
    // A fold of the same instance is faster, which is then given up: the next one was opened with the manifest from before.
    await foldDatabase(context, owned, context.generationNumbers.next(owned.owned.manifest.generation?.number ?? 0));
    defunct = new ByocError('DATABASE_MOVED', 'given up');
    return replace(base, next);
  };
  await world.runtime.run(change(open));
  expect((await manifests.read(id))?.manifest.generation?.commit).toBe(sample.sample.commits.length);
  expect(context.unfolded.of(id, term).fragments).toEqual(before);
});
