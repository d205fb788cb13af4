/**
 * Three nodes own a database one after the other. The one at work dies before or after any of its calls to the store; a
 * fourth then finds exactly what was acknowledged, or whole commits beyond it.
 */
import type { NodeEpoch } from '../../src/identity.js';
import { MemoryStore } from '../memory-store.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { Crash, CrashingStore, type CrashPoint } from './crashing-store.js';
import { epochA, epochB, epochC, pageOf, SampleDatabase } from './sample-database.js';
import { ScriptedNode, type World } from './scripted-node.js';

const rescuer = 'd'.repeat(32) as NodeEpoch;

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
  return new ScriptedNode({ runtime, dataStore: seen(dataStore), logStore: seen(logStore), epoch, world });
}

/** One commit that changes several pages, the size too. */
function write({ world: { sample } }: Stage, by: ScriptedNode): void {
  const number = sample.commits.length + 1;
  const size = 2 + ((number * 7) % 40);
  by.commit(sample.write(size, new Map([1, 2, size].map((page) => [page, pageOf(`commit ${number} page ${page}`)]))));
}

/** What one owner does until it dies without a word, or ends cleanly. */
async function life(stage: Stage, self: ScriptedNode, isFirst: boolean, endsCleanly: boolean): Promise<void> {
  await self.start();
  if (isFirst) await self.create();
  await self.open();
  write(stage, self);
  await self.durable();
  write(stage, self);
  write(stage, self);
  await self.durable();
  await self.fold();
  write(stage, self);
  await self.durable();
  write(stage, self);
  if (endsCleanly) await self.stop();
}

async function play(stage: Stage, crash: Crash): Promise<void> {
  const script = async (): Promise<void> => {
    await life(stage, node(stage, epochA, crash), true, false);
    await life(stage, node(stage, epochB, crash), false, true);
    await life(stage, node(stage, epochC, crash), false, false);
  };
  await stage.runtime.run(Promise.race([script(), crash.happened]));
}

/** A new node opens the database, if it was ever created, and goes on with it; another one sees what it did. */
async function rescue(stage: Stage): Promise<void> {
  const { runtime, world } = stage;
  const first = node(stage, rescuer);
  const opening = (async () => {
    await first.start();
    await first.open().catch((error: unknown) => {
      if (world.acknowledged > 0 || !String(error).includes('never created')) throw error;
      return first.create().then(() => first.open());
    });
    write(stage, first);
    await first.durable();
    await first.fold();
    write(stage, first);
    await first.stop();
  })();
  await runtime.run(opening);
  const last = node(stage, 'e'.repeat(32) as NodeEpoch);
  await runtime.run(last.start().then(() => last.open()));
  expect(world.acknowledged).toBe(world.sample.commits.length);
  expect(world.forks).toEqual([]);
}

/** Every call of the whole play, those that write on both sides. */
async function crashPoints(): Promise<CrashPoint[]> {
  const crash = new Crash();
  await play(await newStage(), crash);
  return Array.from({ length: crash.calls }, (_, index) => index + 1).flatMap((call): CrashPoint[] =>
    crash.writes.includes(call)
      ? [
          { call, side: 'before' },
          { call, side: 'after' },
        ]
      : [{ call, side: 'before' }],
  );
}

describe('a crash', () => {
  it('at any call to the store loses nothing that was acknowledged and tears nothing', async () => {
    const points = await crashPoints();
    expect(points.length).toBeGreaterThan(100);
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
