import { bitFlips, truncations } from '../../test/damage.js';
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
  databases: {
    [databaseA]: [
      { term: 3, fragments: [[0, 100, 50, 1, 4]] },
      { term: 4, fragments: [] },
    ],
  },
};
const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });

afterEach(removeTemporaryDirectories);

describe('recovery record', () => {
  it('is created once; the first one is the truth for everybody', async () => {
    const store = await temporaryStore();
    expect(await readRecoveryRecord(systemRuntime, store, epochA)).toBeUndefined();
    expect(await createRecoveryRecord(systemRuntime, store, record)).toEqual(record);
    const other = { ...record, sealedAt: 8, databases: {} };
    expect(await createRecoveryRecord(systemRuntime, store, other)).toEqual(record);
    expect(await readRecoveryRecord(systemRuntime, store, epochA)).toEqual(record);
  });

  it('answers for one database and term', () => {
    expect(recoveredFragments(record, databaseA, 3)).toEqual([[0, 100, 50, 1, 4]]);
    expect(recoveredFragments(record, databaseA, 4)).toEqual([]);
    expect(recoveredFragments(record, databaseA, 5)).toEqual([]);
    expect(recoveredFragments(record, databaseB, 3)).toEqual([]);
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
});
