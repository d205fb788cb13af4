import { logObjectAt, writeLog } from '../../test/storage/epoch-log.js';
import { upTo } from '../../test/storage/logged-sample.js';
import { recovered } from '../../test/storage/recovered.js';
import { databaseA, databaseB, epochA, epochB, epochC } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { atOnce } from '../turns.js';
import { encodeLogObject, encodeSeal, isSeal } from '../storage/log-object.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { logObjectName, packName } from '../storage/object-names.js';
import { encodePack, type PackRun } from '../storage/pack.js';
import { createNodeRecord, readNodeRecord, replaceNodeRecord } from './node-record.js';
import { recoverEpoch } from './recover-epoch.js';
import { readRecoveryRecord, recoveredFragments, type RecoveryRecord } from './recovery-record.js';

const absent = { ifAbsent: true } as const;

let dataStore: LocalObjectStore;
let logStore: LocalObjectStore;
const stores = () => ({
  runtime: systemRuntime,
  dataStore,
  logStore: new SingleLogStore(systemRuntime, logStore),
});
beforeEach(async () => {
  [dataStore, logStore] = [await temporaryStore(), await temporaryStore()];
});
afterEach(removeTemporaryDirectories);

const from0 = (count: number): number[] => upTo(count).map((number) => number - 1);
const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' });

async function sealStandsAt(position: number): Promise<boolean> {
  const object = await logStore.get(logObjectName(epochA, position));
  return object !== undefined && isSeal(object.body);
}

describe('recovery of an epoch', () => {
  it.each([0, 1, 63, 64, 65, 100, 300])(
    'finds all of %i log objects, seals behind them and condemns',
    async (count) => {
      await writeLog({ dataStore, logStore }, epochA, from0(count));
      const record = await recoverEpoch(stores(), epochA, epochB);
      expect(record.sealedAt).toBe(count);
      const fragments = recoveredFragments(record, databaseA, 1);
      expect(fragments.map(([position, , , first, last]) => [position, first, last])).toEqual(
        from0(count).map((position) => [position, position + 1, position + 1]),
      );
      for (const [position, offset, length, first] of fragments) {
        const bytes = await logStore.getRange(logObjectName(epochA, position), offset, length);
        expect(bytes?.toString()).toBe(`fragment ${first} of ${databaseA}`);
      }
      expect(await sealStandsAt(count)).toBe(true);
      expect((await readNodeRecord(systemRuntime, dataStore, epochA)).record.state).toBe('condemned');
      expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toEqual(record);
      expect(await recoverEpoch(stores(), epochA, epochC)).toEqual(record);
    },
  );

  it('reads an index of any size', async () => {
    await writeLog({ dataStore, logStore }, epochA, []);
    const databases = upTo(1_000).map(
      (number) => `00000000-0000-4000-8000-${number.toString().padStart(12, '0')}` as DatabaseId,
    );
    await logStore.put(logObjectName(epochA, 0), logObjectAt(0, databases), absent);
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect([...record.databases.ids()]).toEqual([...databases].sort());
  });

  it('keeps terms and databases apart', async () => {
    await writeLog({ dataStore, logStore }, epochA, []);
    await logStore.put(logObjectName(epochA, 0), logObjectAt(0, [databaseA, databaseB]), absent);
    await logStore.put(logObjectName(epochA, 1), logObjectAt(1, [databaseB]), absent);
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect(recoveredFragments(record, databaseA, 1).map(([position]) => position)).toEqual([0]);
    expect(recoveredFragments(record, databaseB, 1).map(([position]) => position)).toEqual([0, 1]);
    expect(recoveredFragments(record, databaseB, 2)).toEqual([]);
  });

  it('ends at the first hole, because nothing behind it was acknowledged', async () => {
    await writeLog({ dataStore, logStore }, epochA, [0, 1, 2, 5, 6]);
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect(record.sealedAt).toBe(3);
    expect(recoveredFragments(record, databaseA, 1).map(([position]) => position)).toEqual([0, 1, 2]);
    expect(await sealStandsAt(3)).toBe(true);
  });

  it.each([
    ['objects', [0, 1, 2, 7, 8]],
    ['one object, a long way off', [0, 1, 2, 3 + 4 + 300]],
    ['objects beyond what is read at once', [...from0(64), 72]],
  ])('refuses a log with a hole behind which %s prove that it was filled once', async (_what, positions) => {
    await writeLog({ dataStore, logStore }, epochA, positions);
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(missing);
    expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toBeUndefined();
    // Once what is missing is back, the log is recovered whole.
    const end = Math.max(...positions) + 1;
    for (const position of from0(end))
      await logStore.put(logObjectName(epochA, position), logObjectAt(position), absent);
    expect((await recoverEpoch(stores(), epochA, epochB)).sealedAt).toBe(end);
  });

  it.each([
    ['where nothing proves a loss', [0, 1, 2, 5, 6], 3],
    ['to its end', from0(100), 100],
    ['not where an object not too far off proves a loss', [0, 1, 2, 3 + 4 + 31], undefined],
  ])('ends a log that cannot be listed %s', async (_what, positions, sealedAt) => {
    await writeLog({ dataStore, logStore }, epochA, positions);
    const unlisted = new (class extends SingleLogStore {
      override async lastPosition(): Promise<number> {
        return Promise.reject(new ByocError('STORE_UNAVAILABLE', 'a zone does not answer'));
      }
    })(systemRuntime, logStore);
    const recovery = recoverEpoch({ ...stores(), logStore: unlisted }, epochA, epochB);
    if (sealedAt === undefined) await expect(recovery).rejects.toMatchObject({ code: 'STORE_OBJECT_MISSING' });
    else expect((await recovery).sealedAt).toBe(sealedAt);
  });

  it('looks at little beyond the end of a log', async () => {
    await writeLog({ dataStore, logStore }, epochA, from0(200));
    const looks: number[] = [];
    const counting = new (class extends SingleLogStore {
      override async look(epoch: NodeEpoch, position: number): ReturnType<SingleLogStore['look']> {
        looks.push(position);
        return super.look(epoch, position);
      }
    })(systemRuntime, logStore);
    expect((await recoverEpoch({ ...stores(), logStore: counting }, epochA, epochB)).sealedAt).toBe(200);
    expect(looks.filter((position) => position >= 200).length).toBeLessThanOrEqual(16);
  });

  it('refuses the log of an epoch that lost its beginning, and takes one that begins with nothing', async () => {
    await createNodeRecord(systemRuntime, dataStore, epochA, { logBegun: true });
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(missing);
    expect(await sealStandsAt(0)).toBe(false);
    await logStore.put(logObjectName(epochA, 0), encodeLogObject([]).bytes, absent);
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect(record).toEqual({ epoch: epochA, sealedAt: 1, databases: recovered() });
  });

  it('is not stopped by damage behind the end', async () => {
    await writeLog({ dataStore, logStore }, epochA, [0]);
    await logStore.put(logObjectName(epochA, 2), Buffer.from('damaged'), absent);
    expect((await recoverEpoch(stores(), epochA, epochB)).sealedAt).toBe(1);
  });

  it('ends at a seal that stands there', async () => {
    await writeLog({ dataStore, logStore }, epochA, [0, 1]);
    await logStore.put(logObjectName(epochA, 2), encodeSeal(epochA), absent);
    await logStore.put(logObjectName(epochA, 3), logObjectAt(3), absent);
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect(record.sealedAt).toBe(2);
    expect(recoveredFragments(record, databaseA, 1)).toHaveLength(2);
  });

  it('starts at the low-water mark', async () => {
    await writeLog({ dataStore, logStore }, epochA, [40, 41]);
    const found = await readNodeRecord(systemRuntime, dataStore, epochA);
    await replaceNodeRecord(systemRuntime, dataStore, found, { lowWaterPosition: 40 });
    const record = await recoverEpoch(stores(), epochA, epochB);
    expect(record.sealedAt).toBe(42);
    expect(recoveredFragments(record, databaseA, 1).map(([position]) => position)).toEqual([40, 41]);
  });

  it('records what the packs of the condemned record hold, and no commit twice', async () => {
    await writeLog({ dataStore, logStore }, epochA, [4, 5, 6]);
    const run = (database: DatabaseId, firstCommit: number, lastCommit: number): PackRun => {
      return { database, term: 1, firstCommit, lastCommit, fragments: [Buffer.from('sealed')] };
    };
    const put = async (pack: number, ...runs: PackRun[]) =>
      dataStore.put(packName(epochA, pack), atOnce(encodePack(runs)).bytes, absent);
    // The second is merged of the first and more; the log above the mark has commits 5, 6 and 7.
    await put(2, run(databaseA, 1, 3), run(databaseB, 8, 9));
    await put(3, run(databaseA, 2, 5));
    const found = await readNodeRecord(systemRuntime, dataStore, epochA);
    await replaceNodeRecord(systemRuntime, dataStore, found, { lowWaterPosition: 4, packs: [2, 3] });
    const record = await recoverEpoch(stores(), epochA, epochB);
    const placesAndCommits = (database: DatabaseId) =>
      recoveredFragments(record, database, 1).map(([place, , , first, last]) => [place, first, last]);
    expect(placesAndCommits(databaseA)).toEqual([
      [-2, 1, 3],
      [-3, 2, 5],
      [5, 6, 6],
      [6, 7, 7],
    ]);
    expect(placesAndCommits(databaseB)).toEqual([[-2, 8, 9]]);
    expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toEqual(record);
  });

  it('refuses an epoch of which a named pack is missing or damaged', async () => {
    await writeLog({ dataStore, logStore }, epochA, [1]);
    const found = await readNodeRecord(systemRuntime, dataStore, epochA);
    await replaceNodeRecord(systemRuntime, dataStore, found, { lowWaterPosition: 1, packs: [7] });
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(missing);
    await dataStore.put(packName(epochA, 7), logObjectAt(1), absent);
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(corrupt);
    expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toBeUndefined();
  });

  it('refuses a log store that lacks the beginning of the log, whatever the mark', async () => {
    await createNodeRecord(systemRuntime, dataStore, epochA, { logBegun: true });
    const found = await readNodeRecord(systemRuntime, dataStore, epochA);
    await replaceNodeRecord(systemRuntime, dataStore, found, { lowWaterPosition: 40 });
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(missing);
    expect(await sealStandsAt(40)).toBe(false);
    await logStore.put(logObjectName(epochA, 0), logObjectAt(0), absent);
    expect(await recoverEpoch(stores(), epochA, epochB)).toEqual({
      epoch: epochA,
      sealedAt: 40,
      databases: recovered(),
    });
  });

  it('gives the record of another recoverer when the log was collected under its feet', async () => {
    await writeLog({ dataStore, logStore }, epochA, from0(3));
    let first: RecoveryRecord | undefined;
    const late: ObjectStore = Object.assign(Object.create(logStore) as ObjectStore, {
      getRange: async (key: string, start: number, length: number) => {
        if (!first) {
          first = await recoverEpoch(stores(), epochA, epochC);
          for (const position of from0(3)) await logStore.delete(logObjectName(epochA, position));
          // A stalled write of the dead node, far beyond.
          await logStore.put(logObjectName(epochA, 5), logObjectAt(5), absent);
        }
        return logStore.getRange(key, start, length);
      },
      put: logStore.put.bind(logStore),
    });
    const logs = new SingleLogStore(systemRuntime, late);
    expect(await recoverEpoch({ ...stores(), logStore: logs }, epochA, epochB)).toEqual(first);
    expect(first?.sealedAt).toBe(3);
  });

  it('gives two recoverers at once the same record', async () => {
    await writeLog({ dataStore, logStore }, epochA, from0(35));
    const records = await Promise.all([epochB, epochC, epochB].map((by) => recoverEpoch(stores(), epochA, by)));
    expect(records[1]).toEqual(records[0]);
    expect(records[2]).toEqual(records[0]);
    expect(records[0]?.sealedAt).toBe(35);
    expect(await logStore.get(logObjectName(epochA, 36))).toBeUndefined();
  });

  it.each([
    ['an index that does not match its digest', Buffer.from(logObjectAt(1)).fill(1, 20, 21)],
    ['an index that is cut off', logObjectAt(1).subarray(0, 40)],
    ['no content', Buffer.alloc(0)],
    ['anything else', Buffer.from('something else entirely')],
  ])('refuses a log object with %s, and leaves no record', async (_what, damaged) => {
    await writeLog({ dataStore, logStore }, epochA, [0, 2]);
    await logStore.put(logObjectName(epochA, 1), damaged, absent);
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(corrupt);
    expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toBeUndefined();
    expect(await sealStandsAt(3)).toBe(false);
  });

  it('never takes an epoch without a record for an ended one', async () => {
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(recoverEpoch(stores(), epochA, epochB)).rejects.toEqual(missing);
    expect(await readRecoveryRecord(systemRuntime, dataStore, epochA)).toBeUndefined();
    expect(await logStore.get(logObjectName(epochA, 0))).toBeUndefined();
  });
});
