import { bitFlips, truncations } from '../../test/damage.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { deploymentId, deploymentOf } from './deployment.js';
import { deploymentRecordName } from './object-names.js';

afterEach(removeTemporaryDirectories);

describe('deployment identity', () => {
  it('is made once, also by nodes that start together', async () => {
    const store = await temporaryStore();
    const ids = await Promise.all(Array.from({ length: 4 }, () => deploymentId(systemRuntime, store)));
    expect(new Set(ids).size).toBe(1);
    expect(await deploymentId(systemRuntime, store)).toBe(ids[0]);
  });

  it('is never made anew where a damaged one stands', async () => {
    const store = await temporaryStore();
    await deploymentId(systemRuntime, store);
    const record = (await store.get(deploymentRecordName))?.body as Buffer;
    const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });
    for (const altered of [...truncations(record), ...bitFlips(record, 13)]) {
      await store.delete(deploymentRecordName);
      await store.put(deploymentRecordName, altered, { ifAbsent: true });
      await expect(deploymentId(systemRuntime, store)).rejects.toEqual(damaged);
    }
  });
});

describe('the deployment of two stores', () => {
  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ code: 'STORE_MISCONFIGURED', message: expect.stringMatching(message) });
  const of = async (data: ObjectStore, log: ObjectStore): Promise<string> => deploymentOf(systemRuntime, data, log);
  const use = async (store: ObjectStore, key: string): Promise<unknown> =>
    store.put(key, Buffer.from('x'), { ifAbsent: true });

  it('is made once for both, also by nodes that start together', async () => {
    const [data, log] = [await temporaryStore(), await temporaryStore()];
    const ids = await Promise.all(Array.from({ length: 4 }, async () => of(data, log)));
    expect(new Set(ids).size).toBe(1);
    await use(data, 'nodes/x');
    await use(log, 'log/x');
    expect(await of(data, log)).toBe(ids[0]);
  });

  it('is completed when the first start ended in the middle', async () => {
    const [data, log] = [await temporaryStore(), await temporaryStore()];
    const id = await deploymentId(systemRuntime, log);
    await use(data, `probe/left/behind`);
    expect(await of(data, log)).toBe(id);
    expect(await of(data, log)).toBe(id);
  });

  it('is refused when one of the stores is another', async () => {
    const [data, log, elsewhere, otherData, otherLog] = await Promise.all(Array.from({ length: 5 }, temporaryStore));
    await of(data!, log!);
    await of(otherData!, otherLog!);
    await use(log!, 'log/x');
    await expect(of(data!, otherLog!)).rejects.toEqual(refusal(/the log store belongs to deployment/));
    await expect(of(data!, elsewhere!)).rejects.toEqual(refusal(/the log store does not belong/));
    await expect(of(elsewhere!, log!)).rejects.toEqual(refusal(/the log store is in use, but the data store is empty/));
    expect(await elsewhere!.list('')).toEqual({ keys: [] });
  });

  it('is not made in a store that somebody else uses', async () => {
    const [data, log] = [await temporaryStore(), await temporaryStore()];
    await use(data, 'somebody/elses');
    await expect(of(data, log)).rejects.toEqual(refusal(/holds objects, but no deployment record/));
    expect(await log.list('')).toEqual({ keys: [] });
  });
});
