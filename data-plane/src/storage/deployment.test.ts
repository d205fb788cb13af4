import { bitFlips, truncations } from '../../test/damage.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { systemRuntime } from '../runtime.js';
import { deploymentId } from './deployment.js';
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
