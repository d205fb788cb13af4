import { syncRun } from './sync-run.js';

it('a device that was away for thousands of changes misses none, and none of its own is missed', async () => {
  const result = await syncRun({ serverChanges: 2_000, deviceChanges: 2_000, perPush: 500 });
  expect([result.wrongOnServer, result.wrongOnDevice]).toEqual([0, 0]);
  expect(result.pulledBytes).toBeLessThan(3 * result.databaseBytes);
});
