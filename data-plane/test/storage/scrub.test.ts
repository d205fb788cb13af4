/** A scrub finds every object that is missing or altered, without a key. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { scrubDatabase, type ScrubResult } from '../../src/scrub/scrub-database.js';
import { termAndGeneration } from '../../src/storage/object-names.js';
import { seededRandom } from '../seeded-random.js';
import { removeTemporaryDirectories, temporaryDirectory } from '../temporary-store.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { sampleId, StorageWorld, type StorageNode } from './storage-node.js';

const [parentId, childId] = [sampleId(1), sampleId(2)];
let world: StorageWorld;
let node: StorageNode;

/** A parent with a history, a branch with a fold of its own, and commits that are not folded. */
beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node();
  const random = seededRandom(3);
  const parent = await node.create(parentId);
  for (let round = 0; round < 3; round++) {
    await parent.write(random, 3, 100);
    await parent.fold();
  }
  await parent.write(random, 2, 100);
  const child = await parent.branch(childId);
  await child.write(random, 1, 100);
  await child.fold();
  await node.delete(childId);
  // The next owner's manifest names what this one logged.
  node = await world.node();
  await node.open(parentId);
});
afterEach(removeTemporaryDirectories);

async function scrub(id = parentId): Promise<ScrubResult> {
  const { runtime, dataStore, logStore } = node.context;
  return world.runtime.run(scrubDatabase({ runtime, dataStore, logStore, manifest: await node.manifest(id) }));
}

it('finds a whole database whole, a deleted branch, too', async () => {
  for (const id of [parentId, childId]) expect(await scrub(id)).toMatchObject({ faults: [] });
  expect((await scrub()).objects).toBeGreaterThanOrEqual(9);
});

it('names each object that is missing or has a flipped bit', async () => {
  const { objects } = world.dataStore;
  const keys = [...objects.keys()].filter((key) => key.startsWith(`objects/`));
  const used = new Set<string>();
  for (const key of keys) {
    const object = objects.get(key) as NonNullable<ReturnType<typeof objects.get>>;
    const flipped = Buffer.from(object.body);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    for (const body of [undefined, flipped]) {
      if (body) objects.set(key, { ...object, body });
      else objects.delete(key);
      const results = [await scrub(parentId), await scrub(childId)];
      if (results.some(({ faults }) => faults.some((fault) => fault.includes(key)))) used.add(key);
      objects.set(key, object);
    }
  }
  // What the branch began with was folded, and lies in the archive of its generation.
  expect(keys.filter((key) => !used.has(key)).every((key) => termAndGeneration(key) === undefined)).toBe(true);
  expect(used.size).toBeGreaterThanOrEqual(9);
});

it('names a log object that the manifest needs', async () => {
  expect((await node.manifest(parentId)).tail).not.toEqual([]);
  const { objects } = world.logStore;
  const found = new Set<string>();
  for (const [key, object] of [...objects]) {
    objects.delete(key);
    const { faults } = await scrub();
    if (faults.some((fault) => fault.includes(key))) found.add(key);
    objects.set(key, object);
  }
  expect(found.size).toBeGreaterThan(0);
});

it('is a command whose exit status tells', async () => {
  const directory = await temporaryDirectory();
  for (const [name, store] of [
    ['data', world.dataStore],
    ['log', world.logStore],
  ] as const) {
    const copy = await LocalObjectStore.open(`${directory}/${name}`);
    for (const [key, { body }] of store.objects) await copy.put(key, body, { ifAbsent: true });
  }
  const command = fileURLToPath(new URL('../../dist/scrub/scrub-command.js', import.meta.url));
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  };
  const stores = ['--data', `file://${directory}/data`, '--log', `file://${directory}/log`];
  expect(run('--help')).toMatchObject({ status: 0, output: expect.stringContaining('usage: npm run scrub') as string });
  expect(run(...stores)).toMatchObject({
    status: 0,
    output: expect.stringContaining('2 databases, 0 damaged') as string,
  });
  expect(run('--data', stores[1] as string)).toMatchObject({ status: 2 });
  expect(run(...stores, '--database', 'x')).toMatchObject({ status: 2 });
  const [bundle] = node.objectsOf(parentId).filter((key) => key.includes('segments-'));
  const data = await LocalObjectStore.open(`${directory}/data`);
  await data.delete(bundle as string);
  const damaged = run(...stores, '--database', parentId);
  expect(damaged.status).toBe(1);
  expect(damaged.output).toContain(`object ${String(bundle)} is missing`);
  expect(damaged.output).toContain('1 databases, 1 damaged');
});
