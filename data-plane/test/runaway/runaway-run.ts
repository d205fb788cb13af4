/**
 * A statement without end on a real data node: how long after it was stopped its database answers again, and how long a
 * neighbour in the same engine process waits in all, whose request is run again in the process that replaces it.
 */
import { readdir } from 'node:fs/promises';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';

export interface RunawayOptions {
  readonly engine: 'libsql' | 'tursodb';
  readonly rounds: number;
  readonly deadlineMs: number;
  /** `TURSO_BYOC_STANDBY_PROCESS`. */
  readonly standby: string;
  /** Size of the database that has to be restored, in rows of 1,000 bytes. */
  readonly rows: number;
}

export interface RunawayRound {
  /** From the deadline to the error that the client of the statement gets. */
  readonly stoppedAfterMs: number;
  /** From that error to the answer of a select that is sent at once. */
  readonly answersAfterMs: number;
  /** What a select of a neighbour took that was sent together with the statement, less the deadline. */
  readonly neighbourAfterMs: number;
}

const endless = {
  libsql: 'WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s) SELECT count(*) FROM s',
  tursodb: 'SELECT count(*) FROM t AS a, t AS b, t AS c, t AS d',
};

export async function runawayRun({
  engine,
  rounds,
  deadlineMs,
  standby,
  rows,
}: RunawayOptions): Promise<RunawayRound[]> {
  const node = await DataNode.start({
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_STATEMENT_DEADLINE_MS: String(deadlineMs),
    TURSO_BYOC_STANDBY_PROCESS: standby,
  });
  try {
    const measured: RunawayRound[] = [];
    for (let round = 0; round < rounds; round++) {
      // Fresh ones each time: a database that caused a death lives in a process of its own for a while.
      const [culprit, neighbour] = await Promise.all(
        ['culprit', 'neighbour'].map(async (name) => filledDatabase(node, `${name}-${round}`, engine, rows)),
      );
      if (culprit && neighbour) measured.push(await measure(node, { engine, deadlineMs }, culprit, neighbour));
    }
    return measured;
  } finally {
    await node.dispose();
  }
}

async function filledDatabase(
  node: DataNode,
  name: string,
  engine: RunawayOptions['engine'],
  rows: number,
): Promise<TestDatabase> {
  const database = await node.createDatabase(name, engine);
  await node.run(database, 'CREATE TABLE t (a)');
  const perInsert = 500;
  for (let done = 0; done < rows; done += perInsert) {
    const values = Array.from({ length: Math.min(perInsert, rows - done) }, () => '(randomblob(1000))').join();
    await node.run(database, `INSERT INTO t VALUES ${values}`);
  }
  return database;
}

async function measure(
  node: DataNode,
  { engine, deadlineMs }: Pick<RunawayOptions, 'engine' | 'deadlineMs'>,
  culprit: TestDatabase,
  neighbour: TestDatabase,
): Promise<RunawayRound> {
  const processesBefore = await engineDirectories(node);
  const startedMs = performance.now();
  const stopped = node.run(culprit, endless[engine]).then(
    () => Promise.reject(new Error('the statement without end has ended')),
    (error: unknown) => {
      if (!(error instanceof StatementError) || error.code !== 'STATEMENT_TIMEOUT') throw error;
      return performance.now();
    },
  );
  const neighbourAnswered = node.run(neighbour, 'SELECT count(*) FROM t').then(() => performance.now());
  const stoppedMs = await stopped;
  await node.run(culprit, 'SELECT count(*) FROM t');
  const answeredMs = performance.now();
  const neighbourMs = await neighbourAnswered;
  if ((await engineDirectories(node)) === processesBefore) throw new Error('no engine process was replaced');
  return {
    stoppedAfterMs: stoppedMs - startedMs - deadlineMs,
    answersAfterMs: answeredMs - stoppedMs,
    neighbourAfterMs: neighbourMs - startedMs - deadlineMs,
  };
}

/** The directories of the engine processes, each of which has its own. */
async function engineDirectories(node: DataNode): Promise<string> {
  return (await readdir(node.cacheDirectory)).sort().join();
}
