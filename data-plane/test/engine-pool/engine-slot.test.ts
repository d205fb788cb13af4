import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defaultDispatcherLimits } from '../../src/engine/pool/dispatcher.js';
import { EngineDirectory } from '../../src/engine/pool/engine-directory.js';
import type { EngineExit } from '../../src/engine/pool/engine-exit.js';
import { EngineSlot, type EngineSlotOptions, type OpenedInEngine } from '../../src/engine/pool/engine-slot.js';
import { newDatabaseId, type DatabaseId } from '../../src/identity.js';
import { systemRuntime } from '../../src/runtime.js';
import { ask, eventually, limits, lossOf, scenery, scriptedEngine, type Scenery } from './engine-scenery.js';

describe('EngineSlot', () => {
  let scene: Scenery;
  let slot: EngineSlot;
  let exits: { exit: EngineExit; culprit: DatabaseId | undefined }[];
  let lines: string[];
  let handle = 0;
  let directories = 0;

  beforeAll(async () => {
    scene = await scenery(scriptedEngine);
  });
  afterAll(() => scene.remove());

  const start = (options: Partial<EngineSlotOptions> = {}): EngineSlot => {
    exits = [];
    lines = [];
    directories += 1;
    const directory = EngineDirectory.create(
      join(scene.cacheDirectory, `engine-${directories}`),
      scene.sandbox.userOf(0),
    );
    slot = new EngineSlot({
      command: scene.sandbox.command(directory, [directory.flightRecordPath]),
      directory,
      runtime: systemRuntime,
      monotonicNs: () => process.hrtime.bigint(),
      statementDeadlineMs: 60_000,
      memoryBytes: Infinity,
      controlDeadlineMs: 60_000,
      dispatcher: defaultDispatcherLimits,
      nextHandle: () => (handle += 1),
      onLogLine: (line) => lines.push(line),
      onExit: (exit, culprit) => exits.push({ exit, culprit }),
      ...options,
    });
    return slot;
  };
  afterEach(async () => {
    slot.stop(5_000);
    await eventually(() => !slot.isAlive);
  });

  interface Opened {
    readonly opened: OpenedInEngine;
    /** Everything that the engine said about the database. */
    readonly log: string[];
  }
  const open = async (path = 'db', commit = 0): Promise<Opened> => {
    const log: string[] = [];
    const opened = await slot.open(
      newDatabaseId('libsql', Date.now()),
      { engine: 'libsql', path, commit, limits },
      {
        onCommit: (number, pages, bytes, last) => log.push(`commit ${number} ${pages} ${bytes.byteLength} ${last}`),
        onStreams: (streams) => log.push(`streams ${streams}`),
        onRetiring: () => log.push('retiring'),
        onLost: (reason) => log.push(`lost: ${reason}`),
      },
    );
    return { opened, log };
  };

  it('carries requests, commits and streams in order', async () => {
    start();
    const { opened, log } = await open('db', 41);
    expect(await ask(slot, opened, { do: 'answer', text: 'hello' }).answer).toEqual({
      status: 200,
      text: 'hello',
      seenCommit: 41,
    });
    expect((await ask(slot, opened, { do: 'commit' }).answer).seenCommit).toBe(42);
    expect(log).toEqual(['commit 42 1 4100 true']);
    await ask(slot, opened, { do: 'streams', open: 1 }).answer;
    await ask(slot, opened, { do: 'streams', open: 0 }).answer;
    expect(log.slice(1)).toEqual(['streams 1', 'streams 0']);
  });

  it('carries many requests of many databases at once', async () => {
    start();
    const databases = await Promise.all(Array.from({ length: 20 }, async () => open()));
    const asked = databases.flatMap(({ opened }) =>
      Array.from({ length: 50 }, (_, index) => ask(slot, opened, { do: 'answer', text: `${opened.handle}/${index}` })),
    );
    const answers = await Promise.all(asked.map(async ({ answer }) => (await answer).text));
    expect(answers).toEqual(
      databases.flatMap(({ opened }) => Array.from({ length: 50 }, (_, index) => `${opened.handle}/${index}`)),
    );
  });

  it('streams at the pace of the credit', async () => {
    start();
    const { opened } = await open();
    const asked = ask(slot, opened, { do: 'stream', parts: 3 }, { kind: 'v3-cursor' });
    await eventually(() => asked.parts.length === 1);
    await ask(slot, opened, { do: 'answer' }).answer;
    expect(asked.parts).toEqual(['part 1']);
    slot.credit(asked.ticket, 100);
    await eventually(() => asked.parts.length === 2);
    slot.credit(asked.ticket, 100);
    expect((await asked.answer).text).toBe('part 1|part 2|part 3');
  });

  it('passes on why a database could not be opened, and forgets it', async () => {
    start();
    await expect(open('broken')).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: 'broken' });
    expect(slot.load).toBe(0);
  });

  it('checkpoints only the commit that is the last one', async () => {
    start();
    const { opened } = await open('db', 7);
    expect(await slot.checkpoint(opened, 6)).toBe(false);
    expect(await slot.checkpoint(opened, 7)).toBe(true);
    await slot.close(opened);
    expect(await slot.checkpoint(opened, 7)).toBe(false);
  });

  it('loses the requests of a database that is closed, and those that come later', async () => {
    start();
    const { opened, log } = await open();
    const waiting = ask(slot, opened, { do: 'silence' });
    await slot.close(opened);
    expect(await lossOf(waiting)).toMatchObject({ cause: 'closed', hasCommitted: false });
    expect(await lossOf(ask(slot, opened, { do: 'answer' }))).toMatchObject({ cause: 'closed' });
    expect(log).toEqual([]);
    await slot.close(opened);
    expect(slot.load).toBe(0);
  });

  it('tells of a poisoned database once, with the loss of its requests, and leaves others alone', async () => {
    start();
    const first = await open();
    const second = await open();
    const waiting = ask(slot, first.opened, { do: 'silence' });
    const other = ask(slot, second.opened, { do: 'park' });
    const poisoning = ask(slot, first.opened, { do: 'poison' });
    expect(await lossOf(poisoning)).toMatchObject({ cause: 'poisoned', isCulprit: false });
    expect(await lossOf(waiting)).toMatchObject({ cause: 'poisoned' });
    expect(first.log).toEqual(['lost: the engine gave up its copy of the database: disk full']);
    await ask(slot, second.opened, { do: 'unpark' }).answer;
    expect((await other.answer).text).toBe('resumed');
  });

  it('delivers what was sent before the end, then loses the rest once', async () => {
    start();
    const { opened, log } = await open('db', 5);
    const writes = ask(slot, opened, { do: 'commit-and-die' });
    const reads = ask(slot, opened, { do: 'silence' }, { readOnly: true });
    expect(await lossOf(writes)).toMatchObject({ cause: 'crash', hasCommitted: true });
    expect(await lossOf(reads)).toMatchObject({ cause: 'crash', hasCommitted: false });
    expect(log).toEqual([
      'commit 6 1 4100 false',
      'commit 6 1 4100 true',
      'lost: the engine process ended (crash): exit code 7',
    ]);
    expect(exits).toHaveLength(1);
    expect(exits[0]).toMatchObject({ exit: { cause: 'crash', served: true, culprit: undefined }, culprit: undefined });
    expect(await lossOf(ask(slot, opened, { do: 'answer' }))).toMatchObject({ cause: 'crash' });
    await expect(open()).rejects.toMatchObject({ code: 'ENGINE_RESTARTED' });
    await slot.close(opened);
  });

  it('does not count a commit of which a part is missing', async () => {
    start();
    const { opened, log } = await open('db', 5);
    expect(await lossOf(ask(slot, opened, { do: 'commit-and-die', parts: 1 }))).toMatchObject({ hasCommitted: false });
    expect(log[0]).toBe('commit 6 1 4100 false');
  });

  it('names the request that was being executed when the engine aborted', async () => {
    start();
    const innocent = await open();
    const guilty = await open();
    const waiting = ask(slot, innocent.opened, { do: 'park' });
    const fatal = ask(slot, guilty.opened, { do: 'die-executing' });
    expect(await lossOf(fatal)).toMatchObject({ cause: 'crash', isCulprit: true });
    expect(await lossOf(waiting)).toMatchObject({ cause: 'crash', isCulprit: false });
    expect(exits).toHaveLength(1);
    expect(exits[0]).toMatchObject({ exit: { cause: 'crash' }, culprit: guilty.opened.id });
  });

  it('kills the process of a statement that runs past the deadline', async () => {
    start({ statementDeadlineMs: 300 });
    const innocent = await open();
    const guilty = await open();
    const waiting = ask(slot, innocent.opened, { do: 'park' });
    const runaway = ask(slot, guilty.opened, { do: 'spin' });
    expect(await lossOf(runaway)).toMatchObject({ cause: 'deadline', isCulprit: true, deadlineMs: 300 });
    expect(await lossOf(waiting)).toMatchObject({ cause: 'deadline', isCulprit: false });
    expect(exits[0]!.culprit).toBe(guilty.opened.id);
  });

  it('holds statements to the deadline that nobody waits for any more', async () => {
    start({ statementDeadlineMs: 300 });
    const { opened } = await open();
    const runaway = ask(slot, opened, { do: 'spin' });
    await ask(slot, opened, { do: 'answer' }).answer.catch(() => undefined);
    expect(await lossOf(runaway)).toMatchObject({ cause: 'deadline' });

    start({ statementDeadlineMs: 300 });
    const again = await open();
    const abandoned = ask(slot, again.opened, { do: 'spin' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    slot.cancel(abandoned.ticket);
    expect(await lossOf(abandoned)).toMatchObject({ cause: 'cancelled' });
    await eventually(() => exits.length === 1);
    expect(exits[0]).toMatchObject({ exit: { cause: 'deadline' }, culprit: again.opened.id });
  });

  it('lets requests run on that wait without executing anything', async () => {
    start({ statementDeadlineMs: 100 });
    const { opened } = await open();
    const waiting = ask(slot, opened, { do: 'park' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await ask(slot, opened, { do: 'unpark' }).answer;
    expect((await waiting.answer).text).toBe('resumed');
  });

  it('kills an engine that does not answer an open', async () => {
    start({ statementDeadlineMs: 100, controlDeadlineMs: 200 });
    await expect(open('hanging')).rejects.toMatchObject({ code: 'ENGINE_RESTARTED' });
    expect(exits).toHaveLength(1);
    expect(exits[0]!.exit.cause).toBe('deadline');
    expect(exits[0]!.culprit).toBeDefined();
  });

  it('kills an engine that sends nonsense', async () => {
    start();
    const { opened } = await open();
    expect(await lossOf(ask(slot, opened, { do: 'nonsense' }))).toMatchObject({ cause: 'protocol' });
  });

  it('tells a process that somebody else killed', async () => {
    start();
    const { opened } = await open();
    const waiting = ask(slot, opened, { do: 'silence' });
    await ask(slot, opened, { do: 'answer' }).answer;
    process.kill(slot.pid!, 'SIGKILL');
    expect(await lossOf(waiting)).toMatchObject({ cause: 'killed', isCulprit: false });
  });

  it('withdraws a cancelled request that waits for its turn', async () => {
    start({ dispatcher: { window: 1, databaseWindow: 1, maxOutstandingPerDatabase: 10 } });
    const { opened } = await open();
    const first = ask(slot, opened, { do: 'work', ms: 300 });
    const second = ask(slot, opened, { do: 'commit' });
    slot.cancel(second.ticket);
    slot.cancel(second.ticket);
    expect(await lossOf(second)).toMatchObject({ cause: 'cancelled', hasCommitted: false });
    await first.answer;
    expect((await ask(slot, opened, { do: 'answer' }).answer).seenCommit).toBe(0);
  });

  it('refuses more requests of a database than its bound', async () => {
    start({ dispatcher: { window: 4, databaseWindow: 2, maxOutstandingPerDatabase: 3 } });
    const { opened } = await open();
    const asked = Array.from({ length: 5 }, () => ask(slot, opened, { do: 'park' }));
    await expect(asked[3]!.answer).rejects.toMatchObject({ code: 'OVERLOADED' });
    await expect(asked[4]!.answer).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it('delivers the COMMIT that parked requests wait for, however many they are', async () => {
    start({ dispatcher: { window: 4, databaseWindow: 2, maxOutstandingPerDatabase: 100 } });
    const one = await open();
    const two = await open();
    const three = await open();
    const parked = [one, two].flatMap(({ opened }) =>
      Array.from({ length: 20 }, () => ask(slot, opened, { do: 'park' })),
    );
    // Of one that is not involved, and of those that everything waits for.
    const bystander = ask(slot, three.opened, { do: 'answer' });
    const releases = [one, two].map(({ opened }) => ask(slot, opened, { do: 'unpark' }));
    expect((await bystander.answer).text).toBe('answer');
    for (const release of releases) expect((await release.answer).text).toBe('unparked');
    for (const waiting of parked) expect((await waiting.answer).text).toBe('resumed');
  });

  it('hands on what the process says on its standard error, cut short', async () => {
    start();
    const { opened } = await open();
    await ask(slot, opened, { do: 'complain', text: 'x'.repeat(5_000) }).answer;
    await eventually(() => lines.length === 1);
    expect(lines[0]).toHaveLength(2_000);
  });

  it('ends when it is asked to, without a culprit', async () => {
    start();
    const { opened } = await open();
    const waiting = ask(slot, opened, { do: 'silence' });
    slot.stop(5_000);
    expect(await lossOf(waiting)).toMatchObject({ cause: 'stopped', isCulprit: false });
    expect(exits).toHaveLength(1);
    expect(exits[0]).toMatchObject({ exit: { cause: 'stopped', culprit: undefined }, culprit: undefined });
    expect(existsSync(slot.directory.path)).toBe(true);
  });

  it('is killed when it does not end in time', async () => {
    start();
    const { opened } = await open();
    const waiting = ask(slot, opened, { do: 'spin' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    slot.stop(100);
    expect(await lossOf(waiting)).toMatchObject({ cause: 'stopped' });
  });
});
