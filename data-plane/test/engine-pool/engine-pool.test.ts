import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  EnginePool,
  type EnginePoolOptions,
  type EngineSlot,
  type OpenedInEngine,
} from '../../src/engine/pool/engine-pool.js';
import { newDatabaseId, type DatabaseId } from '../../src/identity.js';
import { systemRuntime, type Runtime } from '../../src/runtime.js';
import {
  ask,
  dyingEngine,
  eventually,
  limits,
  lossOf,
  scenery,
  scriptedEngine,
  type Scenery,
} from './engine-scenery.js';

/** The system's clock, moved forward at will; notes what was scheduled. */
interface ShiftedRuntime extends Runtime {
  shiftMs: number;
  readonly scheduledMs: number[];
}

function shiftedRuntime(): ShiftedRuntime {
  const runtime: ShiftedRuntime = {
    ...systemRuntime,
    shiftMs: 0,
    scheduledMs: [],
    monotonicMs: () => systemRuntime.monotonicMs() + runtime.shiftMs,
    schedule: (ms, run) => {
      runtime.scheduledMs.push(ms);
      return systemRuntime.schedule(ms, run);
    },
  };
  return runtime;
}

describe('EnginePool', () => {
  let scene: Scenery;
  let pool: EnginePool | undefined;
  let runtime: ShiftedRuntime;
  let restarts: string[];
  let events: { event: string; fields: Readonly<Record<string, unknown>> }[];

  beforeAll(async () => {
    scene = await scenery(scriptedEngine);
  });
  afterAll(() => scene.remove());
  afterEach(async () => {
    await pool?.stop();
    pool = undefined;
  });

  const start = async (options: Partial<EnginePoolOptions> = {}): Promise<EnginePool> => {
    restarts = [];
    events = [];
    runtime = shiftedRuntime();
    pool = await EnginePool.start({
      sandbox: scene.sandbox,
      cacheDirectory: scene.cacheDirectory,
      runtime,
      processesPerEngine: 2,
      metrics: { engineRestarted: (engine, cause) => restarts.push(`${engine} ${cause}`) },
      report: (event, fields) => events.push({ event, fields }),
      ...options,
    });
    return pool;
  };
  const starts = (engine: string): number =>
    events.filter(({ event, fields }) => event === 'engine process started' && fields.engine === engine).length;

  interface Opened {
    readonly id: DatabaseId;
    readonly slot: EngineSlot;
    readonly opened: OpenedInEngine;
    readonly log: string[];
  }
  const open = async (id = newDatabaseId('libsql', Date.now())): Promise<Opened> => {
    const slot = await pool!.place(id, 'libsql');
    const log: string[] = [];
    const opened = await slot.open(
      id,
      { engine: 'libsql', path: 'db', commit: 0, limits },
      {
        onCommit: () => undefined,
        onStreams: () => undefined,
        onLost: (reason) => log.push(reason),
        onRetiring: (isFree) => log.push(isFree ? 'free' : 'retiring'),
      },
    );
    return { id, slot, opened, log };
  };

  it('starts the processes of libsql at once and those of tursodb when one is needed', async () => {
    await start();
    const place = async (engine: 'libsql' | 'tursodb') => pool!.place(newDatabaseId(engine, Date.now()), engine);
    expect([starts('libsql'), starts('tursodb')]).toEqual([2, 0]);
    const [first, second] = [await place('libsql'), await place('tursodb')];
    expect([starts('libsql'), starts('tursodb')]).toEqual([2, 2]);
    expect(first).not.toBe(second);
  });

  it('removes what an earlier run left behind', async () => {
    const old = join(scene.cacheDirectory, 'engine-0.77');
    mkdirSync(join(old, 'database'), { recursive: true });
    await start();
    expect(existsSync(old)).toBe(false);
  });

  it('spreads databases and keeps each where it is', async () => {
    await start();
    const databases: Opened[] = [];
    for (let count = 0; count < 6; count += 1) databases.push(await open());
    const slots = new Set(databases.map(({ slot }) => slot));
    expect([...slots].map((slot) => slot.load)).toEqual([3, 3]);
    for (const { id, slot } of databases) expect(await pool!.place(id, 'libsql')).toBe(slot);
    expect(new Set(databases.map(({ opened }) => opened.handle)).size).toBe(6);
  });

  it('counts databases that are about to be opened, but not for ever', async () => {
    await start();
    const ids = Array.from({ length: 4 }, () => newDatabaseId('libsql', Date.now()));
    const slots = await Promise.all(ids.map(async (id) => pool!.place(id, 'libsql')));
    expect(new Set(slots).size).toBe(2);
    expect(slots.map((slot) => slot.load)).toEqual([2, 2, 2, 2]);
    runtime.shiftMs = 120_000;
    expect(slots.map((slot) => slot.load)).toEqual([0, 0, 0, 0]);
  });

  it('gives each process a directory of its own', async () => {
    await start();
    const [one, two] = [await open(), await open()];
    expect(one.slot.directory.path).not.toBe(two.slot.directory.path);
    expect(dirname(one.slot.directory.path)).toBe(scene.cacheDirectory);
  });

  it('replaces a process that was killed and leaves the others alone', async () => {
    await start();
    const [victim, other] = [await open(), await open()];
    const lost = ask(victim.slot, victim.opened, { do: 'silence' });
    const kept = ask(other.slot, other.opened, { do: 'park' });
    await ask(victim.slot, victim.opened, { do: 'answer' }).answer;
    process.kill(victim.slot.pid!, 'SIGKILL');
    expect(await lossOf(lost)).toMatchObject({ cause: 'killed', isCulprit: false });
    expect(victim.log).toHaveLength(1);
    expect(restarts).toEqual(['libsql killed']);

    const again = await open(victim.id);
    expect(again.slot).not.toBe(victim.slot);
    expect((await ask(again.slot, again.opened, { do: 'answer' }).answer).text).toBe('answer');
    expect(again.opened.handle).not.toBe(victim.opened.handle);
    await ask(other.slot, other.opened, { do: 'unpark' }).answer;
    expect((await kept.answer).text).toBe('resumed');
    await eventually(() => !existsSync(victim.slot.directory.path));
  });

  it('keeps a database that ended its process apart for a while, and its neighbours not', async () => {
    await start({ statementDeadlineMs: 300 });
    const databases = [await open(), await open(), await open(), await open()];
    const guilty = databases[0]!;
    const neighbour = databases.find(({ slot, id }) => slot === guilty.slot && id !== guilty.id)!;
    const ordinary = databases.find(({ slot }) => slot !== guilty.slot)!;
    expect(await lossOf(ask(guilty.slot, guilty.opened, { do: 'spin' }))).toMatchObject({
      cause: 'deadline',
      isCulprit: true,
    });
    expect(restarts).toEqual(['libsql deadline']);
    expect(neighbour.log).toHaveLength(1);

    const apart = await open(guilty.id);
    const back = await open(neighbour.id);
    expect(apart.slot).not.toBe(ordinary.slot);
    expect(apart.slot).not.toBe(back.slot);
    expect(starts('libsql')).toBe(4);

    // Once more: only the isolation process is hit.
    expect(await lossOf(ask(apart.slot, apart.opened, { do: 'die-executing' }))).toMatchObject({ isCulprit: true });
    expect(back.log).toEqual([]);
    const apartAgain = await open(guilty.id);
    expect(apartAgain.slot).not.toBe(back.slot);
    expect(apartAgain.slot).not.toBe(ordinary.slot);
    await apartAgain.slot.close(apartAgain.opened);

    runtime.shiftMs = 61_000;
    const forgiven = await open(guilty.id);
    expect([back.slot, ordinary.slot]).toContain(forgiven.slot);
  });

  it('has an isolation process stand by, and another one once that is used', async () => {
    await start({ statementDeadlineMs: 300, keepsStandby: true });
    expect([starts('libsql'), starts('tursodb')]).toEqual([3, 0]);
    expect(pool!.processes).toEqual({ ordinary: 2, isolation: 1 });
    const guilty = await open();
    await lossOf(ask(guilty.slot, guilty.opened, { do: 'spin' }));
    // One took the place of the one that died; the database goes to one that ran before.
    expect(starts('libsql')).toBe(4);
    const apart = await open(guilty.id);
    expect(apart.slot.startedMs).toBeLessThan(guilty.slot.startedMs + 300);
    expect(starts('libsql')).toBe(4);
    await eventually(() => starts('libsql') === 5);
    expect(pool!.processes).toEqual({ ordinary: 2, isolation: 2 });

    // Again, and again it need not wait for a start.
    const standbyMs = runtime.monotonicMs();
    await lossOf(ask(apart.slot, apart.opened, { do: 'spin' }));
    const apartAgain = await open(guilty.id);
    expect(apartAgain.slot.startedMs).toBeLessThan(standbyMs);
    await lossOf(ask(apartAgain.slot, apartAgain.opened, { do: 'die-executing' }));
    expect((await open(guilty.id)).slot).not.toBe(apartAgain.slot);
    await eventually(() => pool!.processes.isolation === 2);
    expect(starts('libsql')).toBe(7);
  });

  it('pauses longer and longer between starts that fail, and gives up waiting when stopped', async () => {
    const dying = await scenery(dyingEngine);
    try {
      await start({ sandbox: dying.sandbox, cacheDirectory: dying.cacheDirectory, processesPerEngine: 1 });
      await eventually(() => restarts.length >= 4);
      expect(restarts.every((restart) => restart === 'libsql crash')).toBe(true);
      // The first is replaced at once.
      const pauses = runtime.scheduledMs.filter((ms) => ms >= 100 && ms < 2_000);
      expect(pauses.slice(0, 3)).toEqual([100, 200, 400]);
      const placing = pool!.place(newDatabaseId('libsql', Date.now()), 'libsql').then(async (slot) =>
        slot.open(
          newDatabaseId('libsql', Date.now()),
          { engine: 'libsql', path: 'db', commit: 0, limits },
          {
            onCommit: () => undefined,
            onStreams: () => undefined,
            onLost: () => undefined,
            onRetiring: () => undefined,
          },
        ),
      );
      await expect(placing).rejects.toMatchObject({ code: 'ENGINE_RESTARTED' });
      await pool!.stop();
      await expect(pool!.place(newDatabaseId('libsql', Date.now()), 'libsql')).rejects.toMatchObject({
        code: 'SHUTTING_DOWN',
      });
      expect(readdirSync(dying.cacheDirectory)).toEqual([]);
    } finally {
      dying.remove();
    }
  });

  it('replaces a process for what it may remember, when what is in it has left', async () => {
    await start({ processesPerEngine: 1 });
    const [idle, busy] = [await open(), await open()];
    const parked = ask(busy.slot, busy.opened, { do: 'park' });
    pool!.recycle(idle.slot);
    pool!.recycle(idle.slot);
    await eventually(() => idle.log.length > 0);
    // The one that is being answered is left alone until it was answered.
    expect([idle.log, busy.log]).toEqual([['free'], ['retiring']]);
    await ask(busy.slot, busy.opened, { do: 'unpark' }).answer;
    await parked.answer;
    expect([idle.log, busy.log]).toEqual([['free'], ['retiring', 'retiring', 'free']]);
    await idle.slot.close(idle.opened);
    const moved = await open(idle.id);
    expect(moved.slot.directory.path).not.toBe(idle.slot.directory.path);
    expect(idle.slot.isAlive).toBe(true);
    await busy.slot.close(busy.opened);
    await eventually(() => !idle.slot.isAlive);
    // Nobody was held guilty, nothing was restarted besides.
    expect([restarts, starts('libsql')]).toEqual([[], 2]);
    await eventually(() => !existsSync(idle.slot.directory.path));
    expect((await open()).slot).toBe(moved.slot);
  });

  it('does not wait for ever for what does not leave a process that is to be replaced', async () => {
    await start({ processesPerEngine: 1 });
    const stays = await open();
    pool!.recycle(stays.slot);
    await eventually(() => stays.log.includes('free'));
    expect(runtime.scheduledMs).toContain(15_000);
    await pool!.stop();
    expect(stays.slot.isAlive).toBe(false);
    expect(readdirSync(scene.cacheDirectory)).toEqual([]);
  });

  it('ends its processes and removes their directories when it stops', async () => {
    await start();
    const { slot, opened } = await open();
    const waiting = ask(slot, opened, { do: 'silence' });
    await pool!.stop();
    expect(await lossOf(waiting)).toMatchObject({ cause: 'stopped' });
    expect(slot.isAlive).toBe(false);
    expect(restarts).toEqual([]);
    expect(readdirSync(scene.cacheDirectory)).toEqual([]);
  });

  it('runs the processes as different users where the sandbox allows', async () => {
    await start();
    const [one, two] = [await open(), await open()];
    const users = [one, two].map(({ slot }) => slot.directory.user?.uid);
    const isOn = scene.sandbox.report.protections.find((line) => line.protection === 'user')!.on;
    expect(new Set(users).size).toBe(isOn ? 2 : 1);
  });
});
