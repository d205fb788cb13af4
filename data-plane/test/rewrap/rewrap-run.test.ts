import { rewrapRun } from './rewrap-run.js';

it('a rewrap that is killed in the middle is completed, no write fails, and the old key is not needed any more', async () => {
  const result = await rewrapRun({
    seed: 5,
    databases: 60,
    written: 3,
    kills: 2,
    perSecond: 40,
    onProgress: () => undefined,
  });
  expect(result).toMatchObject({ leftUnderOldKey: 0, failedWrites: [], failedOpens: [] });
  expect(result.rewrappedByRun).toHaveLength(3);
  expect(result.rewrappedByRun.reduce((sum, count) => sum + count, 0)).toBe(60);
  expect(result.lastWords).toMatch(/^60 databases, [0-9]+ rewrapped, 0 failed$/);
  expect(result.writes).toBeGreaterThan(0);
});
