import { createHash } from 'node:crypto';
import { bitFlips, truncations } from '../../test/damage.js';
import { recovered } from '../../test/storage/recovered.js';
import { databaseA, databaseB, epochA, epochB } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { systemRuntime } from '../runtime.js';
import { recoveryRecordName } from '../storage/object-names.js';
import {
  createRecoveryRecord,
  readRecoveryRecord,
  recoveredFragments,
  type RecoveryRecord,
} from './recovery-record.js';

const record: RecoveryRecord = {
  epoch: epochA,
  sealedAt: 9,
  databases: recovered({
    [databaseB]: [{ term: 1, fragments: [[-2, 0, 7, 1, 1]] }],
    [databaseA]: [
      { term: 3, fragments: [[0, 100, 50, 1, 4]] },
      { term: 4, fragments: [] },
    ],
  }),
};
const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });
const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' });

afterEach(removeTemporaryDirectories);

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A record as another writer may have stored it, its digests right. */
function stored(lines: string, version = 1): Buffer {
  const head = JSON.stringify({ epoch: epochA, sealedAt: 9, databases: digestOf(lines) });
  return Buffer.from(`turso-byoc/recovery/${version} ${digestOf(head)}\n${head}\n${lines}`);
}

describe('recovery record', () => {
  it('is created once; the first one is the truth for everybody', async () => {
    const store = await temporaryStore();
    expect(await readRecoveryRecord(systemRuntime, store, epochA)).toBeUndefined();
    expect(await createRecoveryRecord(systemRuntime, store, record)).toEqual(record);
    const other = { ...record, sealedAt: 8, databases: recovered() };
    expect(await createRecoveryRecord(systemRuntime, store, other)).toEqual(record);
    expect(await readRecoveryRecord(systemRuntime, store, epochA)).toEqual(record);
  });

  it('answers for one database and term', () => {
    expect(recoveredFragments(record, databaseA, 3)).toEqual([[0, 100, 50, 1, 4]]);
    expect(recoveredFragments(record, databaseA, 4)).toEqual([]);
    expect(recoveredFragments(record, databaseA, 5)).toEqual([]);
    expect(recoveredFragments(record, databaseB, 1)).toEqual([[-2, 0, 7, 1, 1]]);
    expect(recoveredFragments(record, databaseB, 3)).toEqual([]);
    expect(recoveredFragments({ ...record, databases: recovered() }, databaseA, 3)).toEqual([]);
  });

  it("is refused when it is damaged or another epoch's", async () => {
    const store = await temporaryStore();
    await createRecoveryRecord(systemRuntime, store, record);
    const bytes = (await store.get(recoveryRecordName(epochA)))?.body as Buffer;
    for (const altered of [bytes, ...truncations(bytes), ...bitFlips(bytes, 17)]) {
      await store.put(recoveryRecordName(epochB), altered, { ifAbsent: true });
      await expect(readRecoveryRecord(systemRuntime, store, epochB)).rejects.toEqual(damaged);
      await expect(createRecoveryRecord(systemRuntime, store, { ...record, epoch: epochB })).rejects.toEqual(damaged);
      await store.delete(recoveryRecordName(epochB));
    }
  });

  const line = `${databaseA} {"3":[[0,100,50,1,4]]}\n`;

  it('is read as it is stored', async () => {
    const store = await temporaryStore();
    await store.put(recoveryRecordName(epochA), stored(line), { ifAbsent: true });
    const read = (await readRecoveryRecord(systemRuntime, store, epochA)) as RecoveryRecord;
    expect(recoveredFragments(read, databaseA, 3)).toEqual([[0, 100, 50, 1, 4]]);
  });

  it.each([
    ['lines out of order', `${line.replaceAll(databaseA, databaseB)}${line}`],
    ['a database twice', `${line}${line}`],
    ['a line without its end', line.slice(0, -1)],
    ['an empty line', `${line}\n`],
    ['something that is no database', line.replace(databaseA, databaseA.replace('1', 'A'))],
    ['no space behind the database', line.replace(' ', ':')],
  ])('is refused with %s', async (_what, lines) => {
    expect(databaseA < databaseB).toBe(true);
    const store = await temporaryStore();
    await store.put(recoveryRecordName(epochA), stored(lines), { ifAbsent: true });
    await expect(readRecoveryRecord(systemRuntime, store, epochA)).rejects.toEqual(corrupt);
  });

  it.each([
    ['not JSON', '{"3":'],
    ['no object', '[]'],
    ['no term', '{"x":[]}'],
    ['no locations', '{"3":7}'],
    ['a location that is cut off', '{"3":[[0,100,50,1]]}'],
    ['a location below nothing', '{"3":[[0,-1,50,1,4]]}'],
  ])('answers nothing for a database of which it holds %s', async (_what, json) => {
    const store = await temporaryStore();
    const other = `${databaseB} {"1":[]}\n`;
    await store.put(recoveryRecordName(epochA), stored(`${databaseA} ${json}\n${other}`), { ifAbsent: true });
    const read = (await readRecoveryRecord(systemRuntime, store, epochA)) as RecoveryRecord;
    expect(() => recoveredFragments(read, databaseA, 3)).toThrow(corrupt);
    expect(recoveredFragments(read, databaseB, 1)).toEqual([]);
  });

  it('of another version is told from damage', async () => {
    const store = await temporaryStore();
    await store.put(recoveryRecordName(epochA), stored(line, 2), { ifAbsent: true });
    const unknown = expect.objectContaining({ code: 'STORE_FORMAT_UNKNOWN' });
    await expect(readRecoveryRecord(systemRuntime, store, epochA)).rejects.toEqual(unknown);
  });

  it('of many databases is written and read in turns, and found whole', async () => {
    const store = await temporaryStore();
    const ids = Array.from(
      { length: 20_000 },
      (_, number) => `${digestOf(String(number)).slice(0, 8)}-0000-4000-8000-${String(number).padStart(12, '0')}`,
    );
    const databases = recovered(
      Object.fromEntries(ids.map((id, n) => [id, [{ term: n, fragments: [[n, 0, 1, 1, 1]] }]])),
    );
    let turns = 0;
    const runtime = {
      ...systemRuntime,
      turn: async () => {
        turns += 1;
        return Promise.resolve();
      },
    };
    await createRecoveryRecord(runtime, store, { ...record, databases });
    expect(turns).toBeGreaterThan(5);
    turns = 0;
    const read = (await readRecoveryRecord(runtime, store, epochA)) as RecoveryRecord;
    expect(turns).toBeGreaterThan(10);
    expect([...read.databases.ids()]).toEqual([...ids].sort());
    for (const [n, id] of ids.entries()) {
      expect(recoveredFragments(read, id as typeof databaseA, n)).toEqual([[n, 0, 1, 1, 1]]);
    }
  });
});
