/**
 * `npm run catalogue-bench`: creates databases through the Platform API of a system started for the purpose on this machine, then
 * lists and retrieves them; prints rates, latencies, processor time and requests to the store for each creation, and memory.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';
import { MetricsDifference, MetricsSnapshot } from '@turso-byoc/data-plane/bench/measure/metrics-snapshot.js';
import { plainTable, targetTable } from '@turso-byoc/data-plane/bench/report/result-table.js';
import { Caller } from './caller.js';
import { catalogueTargets, type CatalogueFigures } from './catalogue-targets.js';
import { measureLargeCatalogue } from './large-catalogue.js';
import { latencies, summary } from './percentile.js';
import { cpuMs, residentMiB, usedPer } from './processes.js';
import { dataNodeMetrics, requestsPer, storeBytes, storeRequests } from './store-requests.js';
import { commitWindowMs, withLocalSystem } from './with-local-system.js';

const usage = `usage: npm run catalogue-bench -- [options]

  --databases <number>     to create; default 20000. 0: none, for --rows alone
  --concurrency <number>   creations at a time; default 64
  --rows <number>          measures the catalog alone as well, in a file, with so many rows; a million takes some minutes
  --out <file>             writes the results there, too
`;

const pageLength = 1_000;
const retrievals = 2_000;
/** Seconds at half the rate that was reached. */
const halfRateSeconds = 15;

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '64' },
    rows: { type: 'string', default: '0' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const [databases, concurrency, rows] = [Number(values.databases), Number(values.concurrency), Number(values.rows)];
if (![databases, concurrency, rows].every((each) => Number.isSafeInteger(each) && each >= 0)) {
  process.stderr.write(usage);
  process.exit(2);
}

const results: Record<string, unknown> = { node: process.version, measuredAt: new Date().toISOString() };
if (databases > 0) results['system'] = await withLocalSystem((line) => void process.stderr.write(`${line}\n`), measure);
if (rows > 0) results['catalogAlone'] = await measureLargeCatalogue(rows);
const text = `${JSON.stringify(results, null, 2)}\n`;
process.stdout.write(text);
if (values.out !== undefined) await writeFile(values.out, text);

async function measure(local: RunningLocalSystem): Promise<CatalogueFigures> {
  const caller = new Caller(local);
  const create = async (number: number): Promise<unknown> =>
    caller.call('POST', '/v1/databases', { name: nameOf(number), group: 'default' });
  // What the first calls of a process cost is not what the others do.
  await inParallel(0, 200, create);
  const memory = [{ databases: 200, residentMiB: await residentMiB(local) }];
  const perSecondByTenth: number[] = [];
  const [cpuBefore, storeBefore] = [await cpuMs(local), await dataNodeMetrics(local)];
  const startedAtMs = performance.now();
  const took: number[] = [];
  let next = 200;
  for (let tenth = 1; tenth <= 10; tenth += 1) {
    const end = 200 + Math.round((databases * tenth) / 10);
    const [begun, tenthStartedAtMs] = [next, performance.now()];
    took.push(...(await inParallel(next, end, create)));
    next = end;
    memory.push({ databases: end, residentMiB: await residentMiB(local) });
    const rate = Math.round(((end - begun) * 10_000) / (performance.now() - tenthStartedAtMs)) / 10;
    perSecondByTenth.push(rate);
    process.stderr.write(`${end} databases, ${rate} a second\n`);
  }
  const perSecond = databases / ((performance.now() - startedAtMs) / 1_000);
  const [cpuAfter, storeAfter] = [await cpuMs(local), await dataNodeMetrics(local)];

  const atHalfRate = await paced(perSecond / 2, halfRateSeconds, async () => create(next++));
  const halfRate = new MetricsDifference(
    MetricsSnapshot.parse(storeAfter),
    MetricsSnapshot.parse(await dataNodeMetrics(local)),
  );
  const pages: number[] = [];
  let listed = 0;
  for (let cursor: string | null = ''; cursor !== null;) {
    const pageStartedAtMs = performance.now();
    const page = (await caller.call('GET', `/v1/databases?limit=${pageLength}&cursor=${cursor}`)) as {
      databases: unknown[];
      pagination: { next: string | null };
    };
    pages.push(performance.now() - pageStartedAtMs);
    listed += page.databases.length;
    cursor = page.pagination.next;
  }
  if (listed !== next) throw new Error(`${listed} databases were listed, ${next} were created`);
  const part = Math.ceil(pages.length / 4);
  const figures = {
    databases: next,
    concurrency,
    commitWindowMs,
    createsPerSecond: Math.round(perSecond * 10) / 10,
    perSecondByTenth,
    createMs: summary(took),
    createMsAtHalfRate: summary(atHalfRate),
    storeWriteMsAtHalfRate: Math.round(halfRate.meanStoreWriteMs * 10) / 10,
    cpuMsPerCreation: usedPer(databases, cpuBefore, cpuAfter),
    storeKiBPerCreation: {
      sent: kibibytesPer(databases, storeBytes(storeAfter).sent - storeBytes(storeBefore).sent),
      received: kibibytesPer(databases, storeBytes(storeAfter).received - storeBytes(storeBefore).received),
    },
    storeRequestsPerCreation: requestsPer(databases, storeRequests(storeBefore), storeRequests(storeAfter)),
    pageOf1000Ms: {
      ...summary(pages),
      firstQuarter: summary(pages.slice(0, part)),
      lastQuarter: summary(pages.slice(-part)),
    },
    retrieveMs: await latencies(retrievals, async (at) =>
      caller.call('GET', `/v1/databases/${nameOf(Math.floor((at * next) / retrievals))}`),
    ),
    memory: [...memory, { databases: next, residentMiB: await residentMiB(local) }],
  };
  process.stderr.write(`\n${plainTable(targetTable(catalogueTargets(figures)))}\n\n`);
  return figures;
}

/** How long each took. */
async function inParallel(from: number, to: number, work: (number: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  let next = from;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let number = next++; number < to; number = next++) took.push(await timed(async () => work(number)));
    }),
  );
  return took;
}

/** Begins work so many times a second, whether or not what was begun before is done. */
async function paced(perSecond: number, seconds: number, work: () => Promise<unknown>): Promise<number[]> {
  const begun: Promise<number>[] = [];
  const startedAtMs = performance.now();
  for (let count = 0; count < perSecond * seconds; count += 1) {
    const waitMs = startedAtMs + (count * 1_000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    begun.push(timed(work));
  }
  return Promise.all(begun);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

function kibibytesPer(count: number, bytes: number): number {
  return Math.round((bytes * 10) / 1_024 / count) / 10;
}

function nameOf(number: number): string {
  return `bench-${String(number).padStart(8, '0')}`;
}
