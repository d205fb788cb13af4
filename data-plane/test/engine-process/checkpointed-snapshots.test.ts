/** A checkpoint that begins the WAL anew under a transaction that reads the file alone. */
import { EngineUnderTest } from './engine-under-test.js';

it('leaves that transaction nothing to write, and nobody else with its snapshot', async () => {
  const engine = new EngineUnderTest();
  try {
    const database = await engine.open('libsql');
    const run = async (sql: string, baton: string | null = null) => engine.run(database, [sql], { baton });
    const checkpoint = async (): Promise<void> => {
      const { seenCommit } = await run('SELECT 1');
      engine.send({ type: 'checkpoint', database, commit: seenCommit });
    };
    const count = 'SELECT count(*) FROM t';
    await run('CREATE TABLE t (a)');
    await run('INSERT INTO t VALUES (1)');
    // With it the checkpoint brings everything into the file, and cannot begin the WAL anew.
    const reader = await run(count, (await run('BEGIN')).baton);
    await checkpoint();
    const late = await run(count, (await run('BEGIN')).baton);
    await run('COMMIT', reader.baton);
    await checkpoint();

    const refused = await run('INSERT INTO t VALUES (2)', late.baton);
    expect(refused.results[0]?.error).toMatchObject({ code: 'SQLITE_BUSY', extended_code: 'SQLITE_BUSY_SNAPSHOT' });
    await run('ROLLBACK', refused.baton);
    for (let round = 0; round < 10; round++) {
      const { results } = await engine.run(database, ['BEGIN IMMEDIATE', 'INSERT INTO t VALUES (3)', 'COMMIT', count]);
      expect(results.map(({ error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
      expect(results.at(-1)?.response?.result?.rows).toEqual([[{ type: 'integer', value: String(round + 2) }]]);
    }
  } finally {
    await engine.dispose();
  }
});
