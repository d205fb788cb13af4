import { largeDatabaseRun } from './large-database-run.js';

// A small one; `npm run large-database` lets it grow past 1 GiB.
describe('a database of large rows', () => {
  it.each(['libsql', 'tursodb'] as const)('comes back whole from the store (%s)', async (engine) => {
    const result = await largeDatabaseRun({ engine, pages: 2_500, onProgress: () => undefined });
    expect(result.failures).toEqual([]);
    expect(result.integrity).toEqual(['ok', 'ok']);
  });
});
