/** A writer that is slow, but alive, races the recoverer of its epoch at every position. */
import { createNodeRecord } from '../../src/ownership/node-record.js';
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { recoveredFragments } from '../../src/ownership/recovery-record.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { CommitLog } from '../../src/storage/commit-log.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { logObjectName } from '../../src/storage/object-names.js';
import { removeTemporaryDirectories, temporaryStore } from '../temporary-store.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { HeldWrites } from './held-writes.js';
import { LoggedSample, upTo } from './logged-sample.js';
import { databaseA, epochA, epochB } from './sample-database.js';

const inFlight = 4;
const when = ['before it reads', 'before it seals', 'after it sealed', 'after it recorded'] as const;

afterEach(removeTemporaryDirectories);

/** Every way to let some of the writes in flight happen at one moment and the rest at another. */
const races = when.flatMap((moment) =>
  Array.from({ length: 2 ** inFlight }, (_, chosen) => ({
    moment,
    early: upTo(inFlight).flatMap((number) => ((chosen >> (number - 1)) & 1 ? [number - 1] : [])),
  })),
);

describe('a writer that races its recoverer', () => {
  it.each(races)('has lost or is included: writes $early happen $moment', async ({ moment, early }) => {
    const runtime = new VirtualRuntime();
    const [dataStore, logStore] = [await temporaryStore(), await temporaryStore()];
    await createNodeRecord(runtime, dataStore, epochA);
    const held = new HeldWrites(runtime, logStore);
    const log = new CommitLog({
      runtime,
      store: new SingleLogStore(runtime, held),
      epoch: epochA,
      windowMs: 1,
      maxObjectBytes: 1 << 20,
      maxInFlight: inFlight,
      onFenced: () => undefined,
    });
    const writer = new LoggedSample(databaseA);
    while (held.keys.length < inFlight) {
      writer.commitTo(log);
      await runtime.advance(5);
    }
    const write = async (positions: readonly number[]): Promise<void> => {
      for (const position of positions) await held.release(held.keys.indexOf(logObjectName(epochA, position)));
    };
    let isDue = true;
    const at = async (now: (typeof when)[number]): Promise<void> => {
      if (!isDue || now !== moment) return;
      isDue = false;
      await write(early);
    };

    const recoverersView: ObjectStore = Object.assign(Object.create(logStore) as ObjectStore, {
      get: (key: string) => logStore.get(key),
      getRange: async (key: string, start: number, length: number) => logStore.getRange(key, start, length),
      put: async (...[key, body, condition]: Parameters<ObjectStore['put']>) => {
        await at('before it seals');
        const result = await logStore.put(key, body, condition);
        if (result.won) await at('after it sealed');
        return result;
      },
    });
    await at('before it reads');
    const record = await recoverEpoch(
      { runtime, dataStore, logStore: new SingleLogStore(runtime, recoverersView) },
      epochA,
      epochB,
    );
    await at('after it recorded');
    await write(
      upTo(inFlight)
        .map((number) => number - 1)
        .filter((position) => !early.includes(position)),
    );
    while (held.keys.length > 0) await held.release();
    await runtime.advance(1_000);

    const fragments = recoveredFragments(record, databaseA, 1);
    const recovered = await writer.read(logStore, epochA, fragments);
    expect(recovered).toEqual(upTo(record.sealedAt));
    expect(writer.durableCommit).toBeLessThanOrEqual(recovered.length);
    expect(fragments.every(([position]) => position < record.sealedAt)).toBe(true);
    expect(log.isFenced).toBe(record.sealedAt < inFlight);
  });
});
