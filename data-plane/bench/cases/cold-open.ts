/** The first query on a database that no node has open. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MetricsDifference } from '../measure/metrics-snapshot.js';
import { readDatabaseObjects } from '../measure/read-database-objects.js';
import { latencyFigures, medianFigure, singleFigure } from '../report/figures.js';
import type { Figure, Result } from '../report/report.js';
import { DataNode, type BenchDatabase } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { createFilled } from '../subjects/filled-database.js';
import { commitWindowMs, type BenchCase, type CaseContext } from './bench-case.js';

const mebibyte = 2 ** 20;
const firstQuery = 'SELECT length(content) FROM blobs WHERE id = 1';
const idleCloseMs = 500;

interface Opening {
  readonly latencyMs: number;
  readonly difference: MetricsDifference;
}

export const coldOpenCase: BenchCase = {
  name: 'cold-open',
  title: 'Cold open',
  explanation:
    'The first query on a database that is not open, to the end of its answer: after a clean restart of the node with its ' +
    'cache directory deleted, and after the database was closed because nobody used it. "plain read" reads the same bytes ' +
    'of the same objects straight from the store, eight ranges at a time, in the same run. The objects lie in the page ' +
    'cache of the kernel for both.',
  run: async (context) => {
    const { budget, directory, progress } = context;
    const deployment = await Deployment.create(join(directory, 'deployment'));
    progress('Cold open: filling databases');
    const [small, large] = await fillDatabases(deployment, context);
    const afterRestart = { small: [] as Opening[], large: [] as Opening[] };
    const restarts = Math.max(budget.smallRestarts, budget.largeOpens);
    for (let restart = 0; restart < restarts; restart++) {
      progress(`Cold open: restart ${restart + 1} of ${restarts}`);
      await rm(deployment.cacheDirectory, { recursive: true });
      await withNode(deployment, async (node) => {
        // Large first in every other round, so that neither always meets a process that has just started.
        const openSmall = async (): Promise<void> => {
          if (restart < budget.smallRestarts)
            for (const database of small) afterRestart.small.push(await open(node, database));
        };
        if (restart % 2 === 0) await openSmall();
        if (restart < budget.largeOpens) afterRestart.large.push(await open(node, large));
        if (restart % 2 === 1) await openSmall();
      });
    }
    const afterClose = await withNode(deployment, async (node) => {
      const openings = { small: [] as Opening[], large: [] as Opening[] };
      await Promise.all([...small, large].map(async (database) => node.execute(database, firstQuery)));
      for (let at = 0; at < budget.largeOpens; at++) {
        progress(`Cold open: idle close ${at + 1} of ${budget.largeOpens}`);
        await node.allClosed();
        for (const database of small) openings.small.push(await open(node, database));
        openings.large.push(await open(node, large));
      }
      return openings;
    });
    const plainReads = await readStraight(deployment, large, budget.largeOpens);
    return {
      results: [
        result(budget.smallBytes, 'restart', afterRestart.small),
        result(budget.smallBytes, 'idle close', afterClose.small),
        result(budget.largeBytes, 'restart', afterRestart.large, plainReads),
        result(budget.largeBytes, 'idle close', afterClose.large, plainReads),
      ],
      targets: [],
    };
  },
};

/** Fills the databases and ends the node cleanly. Returns the small ones and the large one. */
async function fillDatabases(
  deployment: Deployment,
  { budget }: CaseContext,
): Promise<[BenchDatabase[], BenchDatabase]> {
  return withNode(deployment, async (node) => {
    const small: BenchDatabase[] = [];
    for (let at = 0; at < budget.smallDatabases; at++) {
      small.push(await createFilled(node, `small${at}`, budget.smallBytes));
    }
    return [small, await createFilled(node, 'large', budget.largeBytes)];
  });
}

async function withNode<Value>(deployment: Deployment, work: (node: DataNode) => Promise<Value>): Promise<Value> {
  const node = await DataNode.start(deployment, {
    TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
    TURSO_BYOC_IDLE_CLOSE_MS: String(idleCloseMs),
  });
  try {
    await node.warmUp();
    return await work(node);
  } finally {
    await node.stop();
  }
}

/** Throws `Error` when the database was open already. */
async function open(node: DataNode, database: BenchDatabase): Promise<Opening> {
  const before = await node.metrics();
  const startMs = performance.now();
  await node.execute(database, firstQuery);
  const latencyMs = performance.now() - startMs;
  const difference = new MetricsDifference(before, await node.metrics());
  if (difference.storeRequests === 0) throw new Error(`the database ${database.label} was still open`);
  return { latencyMs, difference };
}

async function readStraight(deployment: Deployment, database: BenchDatabase, times: number): Promise<Figure[]> {
  const [dataStore, logStore] = [await deployment.openStore('data'), await deployment.openStore('log')];
  const elapsedMs: number[] = [];
  for (let time = 0; time < times; time++) {
    elapsedMs.push((await readDatabaseObjects(dataStore, logStore, database.id)).elapsedMs);
  }
  return [medianFigure('plain read', 'ms', elapsedMs)];
}

function result(
  bytes: number,
  after: string,
  openings: readonly Opening[],
  plainReads: readonly Figure[] = [],
): Result {
  const latencies = latencyFigures(
    'first query',
    openings.map(({ latencyMs }) => latencyMs),
  );
  const perOpen = (name: string, of: (difference: MetricsDifference) => number): Figure => {
    return medianFigure(
      name,
      'count',
      openings.map(({ difference }) => of(difference)),
    );
  };
  const [latency] = latencies;
  const [plainRead] = plainReads;
  return {
    case: coldOpenCase.name,
    parameters: { size: `${Math.round(bytes / mebibyte)} MB`, after },
    figures: [
      ...latencies,
      ...plainReads,
      ...(latency && plainRead ? [singleFigure('times plain read', 'count', latency.value / plainRead.value)] : []),
      perOpen('store requests', (difference) => difference.storeRequests),
      perOpen('of these, writes', (difference) => difference.storeWrites),
    ],
  };
}
