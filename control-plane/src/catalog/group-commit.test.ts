import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client';
import { GroupCommit } from './group-commit.js';

describe('GroupCommit', () => {
  let directory: string;
  let client: Client;
  /** Statements in each transaction that was run. */
  let ran: number[];
  let isAway: boolean;
  let commits: GroupCommit;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'group-commit-'));
    client = createClient({ url: `file:${join(directory, 'catalog.db')}` });
    await client.execute('CREATE TABLE t (n INTEGER PRIMARY KEY)');
    ran = [];
    isAway = false;
    commits = new GroupCommit({
      run: async (statements) => {
        ran.push(statements.length);
        await new Promise((resolve) => setImmediate(resolve));
        if (isAway) throw new Error('away');
        return client.batch(statements, 'write');
      },
      isUnreachable: (error) => (error as Error).message === 'away',
      nowMs: () => 0,
    });
  });
  afterEach(async () => {
    client.close();
    await rm(directory, { recursive: true });
  });

  const insert = async (n: number) =>
    commits.add([
      { sql: 'INSERT INTO t VALUES (?)', args: [n] },
      { sql: 'SELECT n FROM t WHERE n = ?', args: [n] },
    ]);
  const stored = async () => (await client.execute('SELECT n FROM t ORDER BY n')).rows.map((row) => row['n']);

  it('commits what is asked for at once together, and gives each its own results', async () => {
    const results = await Promise.all([1, 2, 3, 4, 5].map(insert));
    expect(results.map(([, found]) => found?.rows[0]?.['n'])).toEqual([1, 2, 3, 4, 5]);
    // Two go at once; what came meanwhile goes together.
    expect(ran).toEqual([2, 2, 6]);
  });

  it('lets a transaction that fails fail alone, and leave nothing', async () => {
    const [, , third, refused, fifth] = await Promise.allSettled([
      insert(1),
      insert(2),
      insert(3),
      commits.add([
        { sql: 'INSERT INTO t VALUES (?)', args: [100] },
        { sql: 'INSERT INTO t VALUES (?)', args: [100] },
      ]),
      insert(5),
    ]);
    expect([third.status, refused.status, fifth.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await stored()).toEqual([1, 2, 3, 5]);
  });

  it('tries nothing one by one while the catalog is away', async () => {
    isAway = true;
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(insert));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
    expect(ran).toHaveLength(3);
  });
});
