/** Deliberate breakages of the low-water mark and of packs, one at a time: each must be noticed by a takeover. */
import type { LowWaterMarkOptions } from '../../src/ownership/low-water-mark.js';
import { LowWaterMark } from '../../src/ownership/low-water-mark.js';
import type { UnfoldedLog } from '../../src/ownership/unfolded-log.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../temporary-store.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { epochA, epochB, epochC, pageOf, SampleDatabase } from './sample-database.js';
import { ScriptedNode, type World } from './scripted-node.js';

const upkeep = { maxRetainedPositions: 10, maxRetainedBytes: 1 << 20, maxPackBytes: 1 << 20, fanOut: 4 };

afterEach(removeTemporaryDirectories);

/** The owner's list, with a part that does something else. */
function changed(unfolded: UnfoldedLog, change: Partial<UnfoldedLog>): UnfoldedLog {
  return {
    databases: () => unfolded.databases(),
    lowestPosition: () => unfolded.lowestPosition(),
    lowestHeldPosition: () => unfolded.lowestHeldPosition(),
    packs: () => unfolded.packs(),
    heldPacks: () => unfolded.heldPacks(),
    relocate: (...moved) => unfolded.relocate(...moved),
    ...change,
  };
}

/**
 * One owner folds a part of its log, which raises its mark, and packs another; then it dies, and a successor that dies as
 * well. Throws when anything acknowledged is missing.
 */
async function takeover(mutate: (options: LowWaterMarkOptions) => LowWaterMarkOptions): Promise<void> {
  const runtime = new VirtualRuntime();
  const [dataStore, logStore] = [await temporaryStore(), await temporaryStore()];
  const world: World = { sample: new SampleDatabase(emptyDatabaseImage(0)), acknowledged: 0, forks: [] };
  const write = async (by: ScriptedNode, commits: number): Promise<void> => {
    for (; commits > 0; commits--) {
      const number = world.sample.commits.length + 1;
      by.commit(world.sample.write(3, new Map([[1 + (number % 3), pageOf(`commit ${number}`)]])));
      await by.durable();
    }
    await runtime.sleep(3_000);
  };
  const play = async (): Promise<void> => {
    const makeMark = (options: LowWaterMarkOptions): LowWaterMark => new LowWaterMark(mutate(options));
    const first = new ScriptedNode({ runtime, dataStore, logStore, epoch: epochA, world, upkeep, makeMark });
    await first.start();
    await first.create();
    await first.open();
    await write(first, 8);
    await first.fold();
    await write(first, 4);
    const second = new ScriptedNode({ runtime, dataStore, logStore, epoch: epochB, world, upkeep, makeMark });
    await second.start();
    await second.open();
    await write(second, 14);
    const third = new ScriptedNode({ runtime, dataStore, logStore, epoch: epochC, world });
    await third.start();
    await third.open();
  };
  await runtime.run(play());
  if (world.forks.length > 0) throw new Error(world.forks.join());
}

describe('a takeover after the mark was raised', () => {
  it('loses nothing', async () => {
    await takeover((options) => options);
  });

  it.each<[string, (options: LowWaterMarkOptions) => LowWaterMarkOptions]>([
    [
      'passes unfolded fragments',
      (options) => ({ ...options, unfolded: changed(options.unfolded, { lowestPosition: () => undefined }) }),
    ],
    [
      'is raised without naming the packs',
      (options) => ({
        ...options,
        record: { change: async (change) => options.record.change({ ...change, packs: [] }) },
      }),
    ],
    ['is believed before it is stored', (options) => ({ ...options, record: { change: async () => undefined } })],
  ])('is noticed to lose commits with a mark that %s', async (_what, mutate) => {
    await expect(takeover(mutate)).rejects.toThrow(/acknowledged|does not follow|missing/);
  });
});
