/** Three data nodes on one S3 server: what a statement costs where its database is open, and through another node. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LoadGenerator } from '../load/load-generator.js';
import { MetricsDifference } from '../measure/metrics-snapshot.js';
import { expressPrices, standardPrices, type StorePrices } from '../prices.js';
import { latencyFigures, singleFigure } from '../report/figures.js';
import type { Result } from '../report/report.js';
import { DataNode, type BenchDatabase } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { inParallel } from '../subjects/in-parallel.js';
import { S3Server, s3ServerVariable } from '../subjects/s3-server.js';
import { fillItems, itemCount, operationRequest, schema, type Operation } from '../subjects/workload.js';
import { commitWindowMs, type BenchCase, type CaseContext } from './bench-case.js';

const nodeCount = 3;
const operations = ['point-select', 'insert'] as const satisfies Operation[];
const routes = ['to the owner', 'to any node'] as const;
const gigabyte = 1e9;

interface Member {
  readonly node: DataNode;
  readonly databases: readonly BenchDatabase[];
  readonly load: LoadGenerator;
}

export const clusterCase: BenchCase = {
  name: 'cluster',
  title: 'Three nodes on an S3 server',
  explanation:
    'Data nodes, S3 server (versitygw on the disk of this machine) and load share its cores, so throughput is that of the machine; ' +
    'what counts is beside it: "to the owner" sends each request to the node that has the database open, "to any node" to ' +
    'each node in turn, so that two of three are passed on. A database and a connection for each client, which waits for each ' +
    'answer. Store requests are those of all nodes while it ran, folding, leases and log upkeep included; the price is the list ' +
    'price of these requests (prices.ts) for a million statements, with data and log in the same class.',
  run: async (context) => {
    const program = process.env[s3ServerVariable];
    if (program === undefined) {
      context.progress(
        `Skipped: ${s3ServerVariable} is not set (.ci/install-s3-servers installs the server and prints it)`,
      );
      return { results: [], targets: [] };
    }
    const server = await S3Server.start(program, join(context.directory, 's3'));
    const members: Member[] = [];
    try {
      await startMembers(members, server, context);
      const results: Result[] = [];
      for (const operation of operations) {
        for (const route of routes) {
          context.progress(`Three nodes: ${operation}, ${route}`);
          results.push(await measure(operation, route, members, context));
        }
      }
      return { results, targets: [] };
    } finally {
      for (const { node, load } of members) {
        load.stop();
        await node.stop();
      }
      await server.stop();
    }
  },
};

async function startMembers(members: Member[], server: S3Server, { directory, budget }: CaseContext): Promise<void> {
  const deployment = await Deployment.create(join(directory, 'deployment'));
  for (let number = 0; number < nodeCount; number++) {
    const cache = join(directory, `cache-${number}`);
    await mkdir(cache, { mode: 0o711 });
    const node = await DataNode.start(deployment, {
      ...server.environment,
      TURSO_BYOC_CACHE_DIR: cache,
      TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
      TURSO_BYOC_IDLE_CLOSE_MS: '86400000',
    });
    // The node that creates a database owns it.
    const count = Math.ceil(budget.writers / nodeCount);
    const databases = await inParallel(Array.from({ length: count }), async (_, index) => {
      const database = await node.createDatabase(`node${number}x${index}`);
      await node.execute(database, ...schema, fillItems);
      return database;
    });
    members.push({ node, databases, load: new LoadGenerator() });
  }
}

async function measure(
  operation: Operation,
  route: (typeof routes)[number],
  members: readonly Member[],
  { budget }: CaseContext,
): Promise<Result> {
  const run = async (measureMs: number) =>
    Promise.all(
      members.map(async ({ node, load, databases }, at) => {
        const used = route === 'to the owner' ? databases : spread(members, at);
        const requests = used.map(({ label }, index) =>
          operationRequest(operation, label, node.token, ((index * 389) % itemCount) + 1),
        );
        const engines = node.engineProcessIds();
        return load.run(
          {
            host: node.host,
            port: node.port,
            requests,
            connections: databases.length,
            extent: { kind: 'time', warmupMs: 0, measureMs },
          },
          { io: () => [node.ioProcessId], engines: () => engines },
        );
      }),
    );
  const snapshot = async () => Promise.all(members.map(async ({ node }) => node.metrics()));
  // What nodes count must have been caused by exactly the measured statements, so the warm-up is a run of its own.
  await run(budget.warmupMs);
  const before = await snapshot();
  const rounds = await run(budget.writerRounds * budget.writerMeasureMs);
  const after = await snapshot();
  const counted = before.map((earlier, at) => new MetricsDifference(earlier, after[at] ?? earlier));
  const clients = members.reduce((sum, { databases }) => sum + databases.length, 0);
  // Each client's last statement ends after the measured time; the nodes have counted it.
  const statements = rounds.reduce((sum, { result }) => sum + result.completed, 0) + clients;
  const sum = (of: (difference: MetricsDifference) => number): number =>
    counted.reduce((total, difference) => total + of(difference), 0);
  const cores = (of: 'io' | 'engines'): number => rounds.reduce((total, round) => total + round.cores[of], 0);
  const perSecond = rounds.reduce((total, round) => total + round.perSecond, 0);
  return {
    case: clusterCase.name,
    parameters: { statement: operation, route, clients },
    figures: [
      singleFigure('statements', '/s', perSecond),
      ...latencyFigures(
        'answer',
        Float64Array.from(rounds.flatMap(({ result }) => Array.from(result.latenciesMs))),
      ).map(
        // So many samples would make the results file very long; they are summed up in the percentiles.
        (figure) => ({ ...figure, samples: [] }),
      ),
      singleFigure('CPU each', 'ms', ((cores('io') + cores('engines')) / perSecond) * 1_000),
      singleFigure('store requests per 1,000', 'count', (sum((one) => one.storeRequests) / statements) * 1_000),
      singleFigure('of these, writes', 'count', (sum((one) => one.storeWrites) / statements) * 1_000),
      ...[standardPrices, expressPrices].map((prices) =>
        singleFigure(`a million on ${prices.name}`, 'USD', (price(counted, prices) / statements) * 1e6),
      ),
    ],
  };
}

/** The databases of all nodes, for clients of one of them: another order for each, so that nobody's come first. */
function spread(members: readonly Member[], at: number): BenchDatabase[] {
  const own = members.map(({ databases }) => databases.filter((_, index) => index % nodeCount === at));
  return own.flat();
}

/** List price of the requests in US dollars. */
function price(counted: readonly MetricsDifference[], prices: StorePrices): number {
  return counted.reduce((total, difference) => {
    const { put = 0, list = 0, get = 0, get_range: range = 0 } = difference.storeOperations;
    const uploaded = difference.sum('turso_byoc_store_bytes_total', { direction: 'sent' }) / gigabyte;
    const writes = ((put + list) / 1_000) * prices.perThousandWrites;
    return total + writes + ((get + range) / 1_000) * prices.perThousandReads + uploaded * prices.perUploadedGigabyte;
  }, 0);
}
