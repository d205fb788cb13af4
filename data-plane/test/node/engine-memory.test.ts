/** A statement that asks for more memory than there is: the node goes on, and so do the neighbours. */
import { memoryUse } from '@turso-byoc/data-plane/bench/processes/memory.js';
import { descendants } from '@turso-byoc/data-plane/bench/processes/process-tree.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const limitMiB = 300;
/** Texts of 2 MB, one behind the other: 4 GB. */
const greedy = {
  libsql: 'SELECT length(group_concat(hex(zeroblob(1000000)))) FROM generate_series(1, 2000)',
  tursodb: 'SELECT length(group_concat(hex(zeroblob(1000000)))) FROM generate_series(1, 2000)',
} as const;

let node: DataNode;
beforeAll(async () => {
  node = await DataNode.start({
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_ENGINE_MEMORY_MIB: String(limitMiB),
    TURSO_BYOC_STATEMENT_DEADLINE_MS: '60000',
  });
});
afterAll(async () => node.dispose());

const answerOf = async (database: TestDatabase, sql: string): Promise<string> =>
  node.run(database, sql).then(
    (rows) => `${rows.length} rows`,
    (error: unknown) => (error as { code: string }).code,
  );

describe.each(['libsql', 'tursodb'] as const)('on %s', (engine) => {
  it('a statement that takes too much memory is stopped, and told why', async () => {
    const greedyOne = await node.createDatabase(`greedy-${engine}`, engine);
    const neighbour = await node.createDatabase(`neighbour-${engine}`, engine);
    for (const database of [greedyOne, neighbour]) {
      await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1), (2)');
    }
    const before = await node.counted('engine_restarts_total', 'cause="memory"');
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, memoryUse(descendants(node.pid)).privateBytes);
    }, 50);
    const [told, beside] = await Promise.all([
      answerOf(greedyOne, greedy[engine]),
      // It waits for the same process, which is ended, and is run again in another one.
      answerOf(neighbour, 'SELECT * FROM t'),
    ]);
    clearInterval(watch);
    expect([told, beside]).toEqual(['MEMORY_EXCEEDED', '2 rows']);
    expect(await node.counted('engine_restarts_total', 'cause="memory"')).toBe(before + 1);
    // All engine processes together, with what one takes between two looks of a busy machine.
    expect(most).toBeLessThan(4 * limitMiB * 2 ** 20);
    for (const database of [greedyOne, neighbour])
      expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['2']]);
  });

  it('large statements within the limit are no concern', async () => {
    const database = await node.createDatabase(`large-${engine}`, engine);
    const sql = 'SELECT length(group_concat(hex(zeroblob(1000000)))) FROM generate_series(1, 30)';
    expect(await node.run(database, sql)).toEqual([['60000029']]);
  });
});

it('a transaction that was open there is not committed', async () => {
  const database = await node.createDatabase('open-transaction');
  await node.run(database, 'CREATE TABLE t (a)');
  const execute = (sql: string) => ({ type: 'execute', stmt: { sql } });
  const begun = await node.pipeline(database, [execute('BEGIN IMMEDIATE'), execute('INSERT INTO t VALUES (1)')]);
  const ended = await node.pipeline(database, [execute(greedy.libsql)], { baton: begun.body.baton });
  expect(ended.status === 200 ? ended.body.results[0]?.error?.code : ended.body.code).toBe('MEMORY_EXCEEDED');
  expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
});
