/**
 * `npm run catalogue-bench -- --databases 20000`: creates databases through the Platform API of a system started for the
 * purpose on this machine, then lists and retrieves them, and prints rates, latencies and memory.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startLocal, type RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';
import { percentile } from './percentile.js';

const pageLength = 1_000;
const retrievals = 2_000;

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '32' },
    help: { type: 'boolean', default: false },
  },
});
const usage = 'usage: npm run catalogue-bench -- [--databases <number>] [--concurrency <number>]\n';
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const databases = Number(values.databases);
const concurrency = Number(values.concurrency);
if (!(Number.isSafeInteger(databases) && databases > 0 && Number.isSafeInteger(concurrency) && concurrency > 0)) {
  process.stderr.write(usage);
  process.exit(2);
}

const directory = await mkdtemp(join(tmpdir(), 'catalogue-bench-'));
let system: RunningLocalSystem | undefined;
try {
  system = await startLocal({
    dataDirectory: directory,
    httpPort: 0,
    apiPort: 0,
    commitWindowMs: 10,
    report: (line) => process.stderr.write(`${line}\n`),
    environment: { ...process.env, TURSO_BYOC_LOG_LEVEL: 'warn' },
  });
  const results = await measure(system);
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
} finally {
  await system?.stop();
  await rm(directory, { recursive: true, force: true });
}

async function measure(local: RunningLocalSystem): Promise<Record<string, unknown>> {
  const memoryBefore = await memory(local);
  const cpuBefore = await cpuSeconds(local);
  const creations = await inParallel(databases, async (number) =>
    timed(async () => call(local, 'POST', '/v1/databases', { name: nameOf(number), group: 'default' })),
  );
  const memoryAfter = await memory(local);
  const cpuAfter = await cpuSeconds(local);

  const pages: number[] = [];
  let listed = 0;
  for (let cursor: string | null = ''; cursor !== null;) {
    const path = `/v1/databases?limit=${pageLength}&cursor=${cursor}`;
    let page: { databases: unknown[]; pagination: { next: string | null } } | undefined;
    pages.push(await timed(async () => (page = (await call(local, 'GET', path)) as typeof page)));
    listed += page?.databases.length ?? 0;
    cursor = page?.pagination.next ?? null;
  }
  if (listed !== databases) throw new Error(`${listed} databases were listed, ${databases} were created`);

  const found: number[] = [];
  for (let count = 0; count < retrievals; count += 1) {
    const number = Math.floor((count * databases) / retrievals);
    found.push(await timed(async () => call(local, 'GET', `/v1/databases/${nameOf(number)}`)));
  }
  return {
    databases,
    concurrency,
    createsPerSecond: round(databases / (creations.tookMs / 1_000)),
    createMs: { p50: round(percentile(creations.results, 0.5)), p99: round(percentile(creations.results, 0.99)) },
    createCpuMs: round(((cpuAfter - cpuBefore) * 1_000) / databases),
    pageOf1000Ms: { pages: pages.length, p50: round(percentile(pages, 0.5)), p99: round(percentile(pages, 0.99)) },
    retrieveMs: { p50: round(percentile(found, 0.5)), p99: round(percentile(found, 0.99)) },
    residentMiB: { before: memoryBefore, afterCreation: memoryAfter, afterReading: await memory(local) },
  };
}

async function inParallel(
  count: number,
  work: (number: number) => Promise<number>,
): Promise<{ readonly results: number[]; readonly tookMs: number }> {
  const results: number[] = [];
  let next = 0;
  const startedAtMs = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let number = next++; number < count; number = next++) {
        results.push(await work(number));
        if (results.length % 5_000 === 0) process.stderr.write(`${results.length} databases\n`);
      }
    }),
  );
  return { results, tookMs: performance.now() - startedAtMs };
}

async function call(local: RunningLocalSystem, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${local.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${local.token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

/** Resident memory of both processes, in MiB. */
async function memory(local: RunningLocalSystem): Promise<Record<string, number>> {
  const of = async (pid: number | undefined): Promise<number> => {
    const status = await readFile(`/proc/${pid ?? 'self'}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024);
  };
  const { controlPlane, dataNode } = local.processes();
  return { controlPlane: await of(controlPlane), dataNode: await of(dataNode) };
}

/** Processor time that both processes have used, in seconds. */
async function cpuSeconds(local: RunningLocalSystem): Promise<number> {
  const of = async (pid: number | undefined): Promise<number> => {
    const stat = await readFile(`/proc/${pid ?? 'self'}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // User and system time, in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  const { controlPlane, dataNode } = local.processes();
  return (await of(controlPlane)) + (await of(dataNode));
}

function nameOf(number: number): string {
  return `bench-${String(number).padStart(8, '0')}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
