/**
 * A database that is flooded with long statements does not keep its neighbours in the same engine process waiting. What is
 * counted is how many long statements are answered before a neighbour's; `npm run fairness` measures milliseconds.
 */
import { DataNode, type TestDatabase } from '../support/data-node.js';

const floodSize = 30;
const askings = 8;

describe('a database that is flooded with long statements', () => {
  let node: DataNode;
  let noisy: TestDatabase;
  let neighbour: TestDatabase;
  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_STATEMENT_DEADLINE_MS: '60000' });
    noisy = await node.createDatabase('noisy');
    neighbour = await node.createDatabase('neighbour');
    for (const database of [noisy, neighbour]) {
      await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
    }
    await node.run(noisy, 'CREATE TABLE sink (n)');
  });
  afterAll(async () => node.dispose());

  const series = 'WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s LIMIT 400000)';

  /**
   * Floods the noisy database, and while it works through that asks `database` one thing after the other: how many long
   * statements were answered while each of these waited.
   */
  async function overtaken(long: string, database: TestDatabase): Promise<number[]> {
    let answered = 0;
    const flood = Array.from({ length: floodSize }, async () => {
      await node.run(noisy, long);
      answered += 1;
    });
    // The flood has reached the engine when the first of it has come back.
    await Promise.race(flood);
    const counts: number[] = [];
    while (counts.length < askings && answered < floodSize - 2) {
      const before = answered;
      await node.run(database, 'SELECT n FROM t WHERE n = 1');
      counts.push(answered - before);
    }
    await Promise.all(flood);
    return counts;
  }

  it.each([
    ['scans', `${series} SELECT sum(x) FROM s`],
    ['writes', `${series} INSERT INTO sink SELECT x FROM s WHERE x % 40 = 0`],
  ])('%s: a neighbour waits for the one that runs, and at most for one more', async (_what, long) => {
    const counts = await overtaken(long, neighbour);
    expect(counts).toHaveLength(askings);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });

  it('its own requests wait for those that came before them, so the count can fail', async () => {
    const counts = await overtaken(`${series} SELECT sum(x) FROM s`, noisy);
    expect(Math.max(...counts)).toBeGreaterThan(2);
  });
});
