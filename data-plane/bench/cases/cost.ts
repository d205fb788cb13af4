/** What the store is asked in a month, and what that costs at list prices. */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { expressPrices, secondsPerMonth, standardPrices, type StorePrices } from '../prices.js';
import { singleFigure, target } from '../report/figures.js';
import type { Result } from '../report/report.js';
import { latencies } from '../subjects/latencies.js';
import { MemoryStore, numberedId, type RequestCount } from '../subjects/memory-store.js';
import { PricedNode } from '../subjects/priced-node.js';
import { VirtualClock } from '../subjects/virtual-clock.js';
import type { BenchCase, CaseContext } from './bench-case.js';

interface Workload {
  readonly name: string;
  readonly databases: number;
  readonly commitsPerSecond: number;
  /** Size of every database. */
  readonly pages: number;
}

const workloads: readonly Workload[] = [
  { name: 'one idle database', databases: 1, commitsPerSecond: 0, pages: 256 },
  { name: '10,000 databases, one write a minute each', databases: 10_000, commitsPerSecond: 10_000 / 60, pages: 256 },
  { name: 'one database, 1,000 commits/s', databases: 1, commitsPerSecond: 1_000, pages: 2_560 },
];
/** Commits of a database between two folds, where they are further apart than the run is long. */
const commitsPerFold = 249;
const logs = [
  { prices: expressPrices, latency: latencies.express },
  { prices: standardPrices, latency: latencies.standard },
] as const;
/** Beats of a node: its lease, whatever it serves. */
const beatsPerSecond = 2;

export const costCase: BenchCase = {
  name: 'cost',
  title: 'Store requests and their price',
  explanation:
    'Requests of one node to its stores in 30 days, and their list price (prices.ts), from a run of the real log, packs, ' +
    'marks and folds in virtual time over stores with the published latencies of S3; one changed page per commit. What ' +
    'lies beside the log (packs, segments, manifests) is on S3 Standard. Where databases are folded less often than the ' +
    'run is long, the requests of real folds, from packs, are counted apart and multiplied. The beats of the node come ' +
    'on top once per node.',
  run: async (context) => {
    const results: Result[] = [];
    const targets = [];
    for (const { prices, latency } of logs) {
      for (const workload of workloads) {
        context.progress(`Price: ${workload.name}, log on ${prices.name}`);
        const { result, share } = await price(context, workload, prices, latency);
        results.push(result);
        if (workload.databases > 1) {
          targets.push(
            target(`beside the log, of the log: ${workload.name}, ${prices.name}`, 'ratio', share, 'at most', 0.5),
          );
        }
        if (workload.commitsPerSecond === 0) {
          const requests = result.figures.reduce((sum, { value }) => sum + value, 0);
          targets.push(target(`requests of an idle database, ${prices.name}`, 'count', requests, 'at most', 0));
        }
      }
    }
    const beats = beatsPerSecond * secondsPerMonth;
    results.push({
      case: costCase.name,
      parameters: { workload: 'a node by itself', log: '–' },
      figures: [
        singleFigure('beats', 'count', beats),
        singleFigure('price in all', 'USD', dollars({ reads: 0, writes: beats, uploadedBytes: 0 }, standardPrices)),
      ],
    });
    return { results, targets };
  },
};

async function price(
  { budget }: CaseContext,
  workload: Workload,
  prices: StorePrices,
  latency: (typeof logs)[number]['latency'],
): Promise<{ result: Result; share: number }> {
  const clock = new VirtualClock();
  const data = new MemoryStore(clock, latencies.standard.read, latencies.standard.write);
  const log = new MemoryStore(clock, latency.read, latency.write);
  const node = new PricedNode(clock, data, log);
  const seconds = budget.pricedSeconds;
  let objects = noRequests();
  let beside = noRequests();
  await clock.run(
    (async () => {
      const ids = Array.from({ length: workload.databases }, (_, number) => numberedId(number) as DatabaseId);
      await Promise.all(ids.map(async (id) => node.create(id, workload.pages)));
      const commit = async (forSeconds: number): Promise<void> => {
        const untilMs = clock.monotonicMs() + forSeconds * 1_000;
        for (let next = 0; workload.commitsPerSecond > 0; next = (next + 1) % node.databases.length) {
          await clock.sleep((-Math.log(1 - clock.randomFraction()) * 1_000) / workload.commitsPerSecond);
          if (clock.monotonicMs() >= untilMs) return;
          node.databases[next]?.commit();
        }
        await clock.sleep(forSeconds * 1_000);
      };
      await commit(seconds / 6);
      const [dataBefore, logBefore] = [total(data), total(log)];
      await commit(seconds);
      objects = less(total(log), logBefore);
      beside = less(total(data), dataBefore);
    })(),
  );
  const perMonth = secondsPerMonth / seconds;
  let besidePerMonth = times(beside, perMonth);
  if (workload.databases > 1) {
    const folded = await clock.run(foldSome(node, data));
    const foldsPerMonth = (workload.commitsPerSecond * secondsPerMonth) / commitsPerFold;
    besidePerMonth = sum(besidePerMonth, times(folded, foldsPerMonth));
  }
  const logPerMonth = times(objects, perMonth);
  const [logPrice, besidePrice] = [dollars(logPerMonth, prices), dollars(besidePerMonth, standardPrices)];
  const result: Result = {
    case: costCase.name,
    parameters: { workload: workload.name, log: prices.name },
    figures: [
      singleFigure('log writes', 'count', logPerMonth.writes),
      singleFigure('log reads', 'count', logPerMonth.reads),
      singleFigure('other writes', 'count', besidePerMonth.writes),
      singleFigure('other reads', 'count', besidePerMonth.reads),
      singleFigure('price of the log', 'USD', logPrice),
      singleFigure('price of the rest', 'USD', besidePrice),
      singleFigure('price in all', 'USD', logPrice + besidePrice),
    ],
  };
  return { result, share: logPrice === 0 ? 0 : besidePrice / logPrice };
}

/** Requests of one fold, the mean of some. */
async function foldSome(node: PricedNode, data: MemoryStore): Promise<RequestCount> {
  const before = total(data);
  const databases = node.databases.slice(0, 20);
  for (const database of databases) await database.fold();
  return times(less(total(data), before), 1 / databases.length);
}

function noRequests(): RequestCount {
  return { reads: 0, writes: 0, uploadedBytes: 0 };
}

function total({ counts }: MemoryStore): RequestCount {
  return [...counts.values()].reduce(sum, noRequests());
}

function sum(a: RequestCount, b: RequestCount): RequestCount {
  return { reads: a.reads + b.reads, writes: a.writes + b.writes, uploadedBytes: a.uploadedBytes + b.uploadedBytes };
}

function times(count: RequestCount, factor: number): RequestCount {
  return { reads: count.reads * factor, writes: count.writes * factor, uploadedBytes: count.uploadedBytes * factor };
}

function less(a: RequestCount, b: RequestCount): RequestCount {
  return sum(a, times(b, -1));
}

function dollars({ reads, writes, uploadedBytes }: RequestCount, prices: StorePrices): number {
  return (
    (writes * prices.perThousandWrites + reads * prices.perThousandReads) / 1_000 +
    (uploadedBytes / 1e9) * prices.perUploadedGigabyte
  );
}
