import { bitFlips, truncations } from '../../test/damage.js';
import { epochA, epochB } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import { systemRuntime } from '../runtime.js';
import { nodeRecordName } from '../storage/object-names.js';
import { createNodeRecord, readNodeRecord, replaceNodeRecord } from './node-record.js';

const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });

let store: LocalObjectStore;
beforeEach(async () => {
  store = await temporaryStore();
});
afterEach(removeTemporaryDirectories);

describe('node record', () => {
  it('is announced once and changes by its version', async () => {
    const created = await createNodeRecord(systemRuntime, store, epochA);
    await expect(createNodeRecord(systemRuntime, store, epochA)).rejects.toThrow('exists already');
    expect(await readNodeRecord(systemRuntime, store, epochA)).toEqual(created);
    const moved = await replaceNodeRecord(systemRuntime, store, created, { lowWaterPosition: 7 });
    expect(moved?.record).toEqual({ ...created.record, version: 2, lowWaterPosition: 7 });
    expect(await replaceNodeRecord(systemRuntime, store, created, { state: 'stopped' })).toBeUndefined();
    expect(await readNodeRecord(systemRuntime, store, epochA)).toEqual(moved);
  });

  it('is not renewed once it is condemned', async () => {
    const created = await createNodeRecord(systemRuntime, store, epochA);
    const found = await readNodeRecord(systemRuntime, store, epochA);
    await replaceNodeRecord(systemRuntime, store, found, { state: 'condemned' });
    expect(await replaceNodeRecord(systemRuntime, store, created, { lowWaterPosition: 1 })).toBeUndefined();
    expect((await readNodeRecord(systemRuntime, store, epochA)).record.state).toBe('condemned');
  });

  it('is an error when it is missing, never an ended epoch', async () => {
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(readNodeRecord(systemRuntime, store, epochA)).rejects.toEqual(missing);
  });

  it("is refused when it is damaged or another epoch's", async () => {
    await createNodeRecord(systemRuntime, store, epochA);
    const record = (await store.get(nodeRecordName(epochA)))?.body as Buffer;
    for (const altered of [record, ...truncations(record), ...bitFlips(record, 11)]) {
      await store.put(nodeRecordName(epochB), altered, { ifAbsent: true });
      await expect(readNodeRecord(systemRuntime, store, epochB)).rejects.toEqual(damaged);
      await store.delete(nodeRecordName(epochB));
    }
  });
});
