/**
 * What the storage and database code relies on in an engine, checked on the real engine processes and on the model that
 * stands for them in the simulator: if the two part ways here, what the simulator finds is worth nothing.
 */
import type { LostRequest } from '@turso-byoc/data-plane/engine/pool/engine-exit.js';
import type { OpenedInEngine } from '@turso-byoc/data-plane/engine/pool/engine-slot.js';
import type { EnginePlace } from '@turso-byoc/data-plane/engine/pool/engines.js';
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { emptyDatabaseImage } from '@turso-byoc/data-plane/storage/empty-database.js';
import { modelEngine, realEngine, type EngineSubject, type Step } from './engine-subjects.js';

const limits = {
  maxPages: 500,
  maxResponseBytes: 1 << 20,
  transactionTimeoutMs: 5_000,
  streamIdleTimeoutMs: 10_000,
  writeLockTimeoutMs: 5_000,
  maxTransactionBytes: 1 << 24,
  requestTimeoutMs: 60_000,
};
const pageBytes = 4096;

interface Commit {
  readonly number: number;
  readonly databasePages: number;
  readonly pages: Map<number, Buffer>;
}

interface Answer {
  readonly baton: string | null;
  readonly values: (string | null)[];
  readonly seenCommit: number;
  /** Commits that had come when the answer came. */
  readonly commitsBefore: number;
}

describe.each<[string, () => Promise<EngineSubject>]>([
  ['the real engine processes', realEngine],
  ['the model engine', modelEngine],
])('%s', (_, start) => {
  let subject: EngineSubject;
  const id = newDatabaseId('libsql', Date.now());

  beforeAll(async () => {
    subject = await start();
  });
  afterAll(async () => subject.stop());

  interface Opened {
    readonly place: EnginePlace;
    readonly opened: OpenedInEngine;
    readonly image: Buffer;
    readonly commits: Commit[];
    readonly lost: string[];
  }

  const open = async (image = emptyDatabaseImage(0), commit = 0): Promise<Opened> =>
    subject.run(
      (async () => {
        const place = await subject.place(id);
        const directory = await place.directory.createDatabaseDirectory(`d${Math.random().toString(36).slice(2)}`);
        const path = `${directory.path}/db`;
        const file = await place.directory.createDatabaseFile(path);
        await file.write([image], 0);
        await file.close();
        await place.directory.handOver(directory.path);
        const commits: Commit[] = [];
        const lost: string[] = [];
        let parts: Buffer[] = [];
        const opened = await place.open(
          id,
          { engine: 'libsql', path, commit, limits },
          {
            onCommit: (number, databasePages, pages, last) => {
              parts.push(Buffer.from(pages));
              if (!last) return;
              commits.push({ number, databasePages, pages: pagesOf(Buffer.concat(parts)) });
              parts = [];
            },
            onStreams: () => undefined,
            onRetiring: () => undefined,
            onLost: (reason) => lost.push(reason),
          },
        );
        return { place, opened, image, commits, lost };
      })(),
    );

  const send = async (
    { place, opened, commits }: Opened,
    steps: readonly Step[],
    baton: string | null = null,
    close = true,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      place.request(
        opened,
        { kind: 'v2-pipeline', readOnly: false, body: subject.body(baton, steps, close) },
        {
          onPart: ({ body, seenCommit }) =>
            resolve({ ...subject.parse(body.toString()), seenCommit, commitsBefore: commits.length }),
          onLost: (lost) => reject(new LostError(lost)),
          onRefused: reject,
        },
      );
    });
  const ask = async (...parameters: Parameters<typeof send>): Promise<Answer> => subject.run(send(...parameters));
  const close = async ({ place, opened }: Opened): Promise<void> => subject.run(place.close(opened));
  const set = (key: string, value: string): Step => ({ do: 'set', key, value });
  const get = (key: string): Step => ({ do: 'get', key });

  it('numbers commits one after the other, beginning after the one it was opened at', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    await ask(database, [set('a', '1'), set('a', '2')]);
    expect(database.commits.map(({ number }) => number)).toEqual([1, 2, 3]);
    await close(database);
  });

  it('sends every commit before an answer that saw it, and says in the answer which one that was', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    const [first, read, second] = await subject.run(
      Promise.all([send(database, [set('a', '1')]), send(database, [get('a')]), send(database, [set('a', '2')])]),
    );
    // An answer may say more than it saw, never less.
    expect(first.seenCommit).toBeGreaterThanOrEqual(2);
    expect(second.seenCommit).toBe(3);
    for (const answer of [first, read, second]) expect(answer.commitsBefore).toBeGreaterThanOrEqual(answer.seenCommit);
    expect([null, '1', '2'].slice(0, read.seenCommit)).toContain(read.values[0]);
    await close(database);
  });

  it('shows reads the latest commit, whoever knows that it is durable', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }, set('a', '1')]);
    expect(await ask(database, [get('a')])).toMatchObject({ values: ['1'], seenCommit: 2 });
    await close(database);
  });

  it('sends pages from which any commit can be rebuilt', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    for (let value = 1; value <= 5; value++) await ask(database, [set('a', `${value}`.padEnd(value * 700, '.'))]);
    await close(database);
    for (const upTo of [2, 4, 6]) {
      const rebuilt = await open(rebuild(database.image, database.commits.slice(0, upTo)), upTo);
      const { values } = await ask(rebuilt, [get('a')]);
      expect(values[0]?.startsWith(String(upTo - 1))).toBe(true);
      await ask(rebuilt, [set('a', 'next')]);
      expect(rebuilt.commits.map(({ number }) => number)).toEqual([upTo + 1]);
      await close(rebuilt);
    }
  });

  it('makes one commit of a transaction, and shows nothing of it before', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }, set('a', '0')]);
    const { baton } = await ask(database, [{ do: 'begin' }, set('a', '1')], null, false);
    const written = await ask(database, [set('b', '1')], baton, false);
    expect(await ask(database, [get('a')])).toMatchObject({ values: ['0'], seenCommit: 2 });
    const committed = await ask(database, [get('a'), { do: 'commit' }], written.baton);
    expect(committed).toMatchObject({ values: ['1', null], seenCommit: 3 });
    expect(database.commits.map(({ number }) => number)).toEqual([1, 2, 3]);
    await close(database);
  });

  it('makes no commit of a transaction that is rolled back, or of what fails', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    await ask(database, [{ do: 'begin' }, set('a', '1'), { do: 'rollback' }]);
    // Left open when the stream ends.
    await ask(database, [{ do: 'begin' }, set('a', '2')]);
    expect((await ask(database, [{ do: 'fail' }])).values).toEqual(['error']);
    expect(await ask(database, [get('a')])).toMatchObject({ values: [null], seenCommit: 1 });
    expect(database.commits).toHaveLength(1);
    await close(database);
  });

  it('lets one transaction write at a time; others wait', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    const { baton } = await ask(database, [{ do: 'begin' }, set('a', '1')], null, false);
    const waiting = send(database, [set('a', '2')]);
    const committed = await ask(database, [{ do: 'commit' }], baton);
    expect(committed.seenCommit).toBeGreaterThanOrEqual(2);
    expect((await subject.run(waiting)).seenCommit).toBe(3);
    expect(await ask(database, [get('a')])).toMatchObject({ values: ['2'] });
    await close(database);
  });

  it('folds its local log only when asked at its last commit', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    await ask(database, [set('a', '1')]);
    const { place, opened } = database;
    expect(await subject.run(place.checkpoint(opened, 1))).toBe(false);
    expect(await subject.run(place.checkpoint(opened, 2))).toBe(true);
    await ask(database, [set('a', '2')]);
    expect(database.commits.map(({ number }) => number)).toEqual([1, 2, 3]);
    await close(database);
  });

  it('tells when its process dies, and of every request whether it may have committed', async () => {
    const database = await open();
    await ask(database, [{ do: 'create' }]);
    const { baton } = await ask(database, [{ do: 'begin' }, set('a', '1')], null, false);
    expect(baton).not.toBeNull();
    // It waits for the lock until the end.
    const waiting = send(database, [set('a', '2')]);
    const lost = waiting.then(
      () => undefined,
      (error: unknown) => error as LostError,
    );
    subject.kill(database.place);
    expect((await subject.run(lost))?.lost).toMatchObject({ cause: 'killed', hasCommitted: false });
    expect(database.lost).toHaveLength(1);
    expect(database.place.isAlive).toBe(false);
    const again = await open(rebuild(database.image, database.commits), 1);
    expect(await ask(again, [get('a')])).toMatchObject({ values: [null] });
    await close(again);
  });
});

class LostError extends Error {
  constructor(readonly lost: LostRequest) {
    super(lost.reason);
  }
}

function pagesOf(records: Buffer): Map<number, Buffer> {
  const pages = new Map<number, Buffer>();
  expect(records.length % (4 + pageBytes)).toBe(0);
  for (let at = 0; at < records.length; at += 4 + pageBytes) {
    const number = records.readUInt32LE(at);
    expect(pages.has(number)).toBe(false);
    pages.set(number, records.subarray(at + 4, at + 4 + pageBytes));
  }
  return pages;
}

/** The image after `commits`, from their pages alone. */
function rebuild(image: Buffer, commits: readonly Commit[]): Buffer {
  let content = image;
  for (const { databasePages, pages } of commits) {
    const next = Buffer.alloc(databasePages * pageBytes);
    content.copy(next);
    for (const [number, page] of pages) if (number <= databasePages) page.copy(next, (number - 1) * pageBytes);
    content = next;
  }
  return content;
}
