/**
 * Two nodes own a database one after the other, fold it now and then, copy their old log into packs, merge these, raise
 * their marks and delete what is below. The one at work dies before or after any of its calls to the store; another then
 * finds exactly what was acknowledged, or whole commits beyond it.
 */
import type { NodeEpoch } from '../../src/identity.js';
import { MemoryStore } from '../memory-store.js';
import { readNodeRecord, type NodeRecord } from '../../src/ownership/node-record.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { Crash, CrashingStore, type CrashPoint } from './crashing-store.js';
import { epochA, epochB, epochC, pageOf, SampleDatabase } from './sample-database.js';
import { ScriptedNode, type World } from './scripted-node.js';

const limits = { maxRetainedPositions: 2, maxRetainedBytes: 1 << 20, maxPackBytes: 20_000, fanOut: 2 };

interface Stage {
  readonly runtime: VirtualRuntime;
  readonly dataStore: MemoryStore;
  readonly logStore: MemoryStore;
  readonly world: World;
}

async function newStage(): Promise<Stage> {
  const world: World = { sample: new SampleDatabase(emptyDatabaseImage(0)), acknowledged: 0, forks: [] };
  return { runtime: new VirtualRuntime(), dataStore: new MemoryStore(), logStore: new MemoryStore(), world };
}

function node({ runtime, dataStore, logStore, world }: Stage, epoch: NodeEpoch, crash = new Crash()): ScriptedNode {
  const seen = (store: MemoryStore): CrashingStore => new CrashingStore(runtime, store, crash);
  const stores = { dataStore: seen(dataStore), logStore: seen(logStore) };
  return new ScriptedNode({ runtime, ...stores, epoch, world, upkeep: limits });
}

/** Small commits, each acknowledged before the next; then time for a round of upkeep. */
async function write({ runtime, world: { sample } }: Stage, by: ScriptedNode, commits: number): Promise<void> {
  for (; commits > 0; commits--) {
    const number = sample.commits.length + 1;
    by.commit(sample.write(2 + (number % 3), new Map([[1 + (number % 2), pageOf(`commit ${number}`)]])));
    await by.durable();
  }
  await runtime.sleep(3_000);
}

async function life(stage: Stage, self: ScriptedNode): Promise<void> {
  await self.start();
  await self.create();
  await self.open();
  // Two rounds that pack, of which the second merges.
  for (let round = 0; round < 2; round++) await write(stage, self, 3);
  await self.fold();
  await write(stage, self, 3);
  // In the same epoch, from what was packed.
  await self.open();
  await write(stage, self, 1);
}

async function play(stage: Stage, crash: Crash): Promise<void> {
  const script = async (): Promise<void> => {
    await life(stage, node(stage, epochA, crash));
    const second = node(stage, epochB, crash);
    await second.start();
    await second.open();
    await write(stage, second, 3);
    await second.stop();
  };
  await stage.runtime.run(Promise.race([script(), crash.happened]));
}

async function rescue(stage: Stage): Promise<void> {
  const { runtime, world } = stage;
  const first = node(stage, epochC);
  const opening = (async () => {
    await first.start();
    await first.open().catch((error: unknown) => {
      if (world.acknowledged > 0 || !String(error).includes('never created')) throw error;
      return first.create().then(() => first.open());
    });
    await write(stage, first, 1);
    await first.stop();
  })();
  await runtime.run(opening);
  const last = node(stage, 'e'.repeat(32) as NodeEpoch);
  await runtime.run(last.start().then(() => last.open()));
  expect(world.acknowledged).toBe(world.sample.commits.length);
  expect(world.forks).toEqual([]);
}

async function record({ runtime, dataStore }: Stage, epoch: NodeEpoch): Promise<NodeRecord> {
  return (await readNodeRecord(runtime, dataStore, epoch)).record;
}

describe('the upkeep of a log', () => {
  it('packs, merges, raises the mark and deletes: what this test is about happens', async () => {
    const stage = await newStage();
    await play(stage, new Crash());
    const { lowWaterPosition, packs } = await record(stage, epochA);
    expect(lowWaterPosition).toBeGreaterThan(6);
    expect(Math.max(...packs)).toBeGreaterThan(1);
    const { keys } = await stage.dataStore.list('packs/');
    const ofA = keys.filter((key) => key.includes(epochA));
    expect(ofA).toHaveLength(packs.length);
    const log = await stage.logStore.list('log/');
    const positions = log.keys.filter((key) => key.includes(epochA)).map((key) => Number(key.split('/').at(-1)));
    expect(positions.filter((position) => position < lowWaterPosition)).toEqual([0]);
    await rescue(stage);
  });

  it('loses nothing whenever the node dies', async () => {
    const crash = new Crash();
    await play(await newStage(), crash);
    const points = Array.from({ length: crash.calls }, (_, index) => index + 1).flatMap((call): CrashPoint[] =>
      crash.writes.includes(call)
        ? [
            { call, side: 'before' },
            { call, side: 'after' },
          ]
        : [{ call, side: 'before' }],
    );
    expect(points.length).toBeGreaterThan(60);
    for (const point of points) {
      const stage = await newStage();
      try {
        await play(stage, new Crash(point));
        await rescue(stage);
      } catch (error) {
        throw new Error(`crash ${point.side} call ${point.call}`, { cause: error });
      }
    }
  }, 600_000);
});
