/** `npm run cluster-test`: several real nodes over one store under load, and what happens to them; see docs/operations/failover.md. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { clusterRun, type Blow } from './cluster-run.js';
import { percentile } from './statistics.js';
import { verdicts } from './verdicts.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    nodes: { type: 'string', default: '3' },
    databases: { type: 'string', default: '300' },
    store: { type: 'string', default: 'versitygw' },
    kill: { type: 'string' },
    every: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '3' },
    'store-outage': { type: 'string', default: '0' },
    'pause-ms': { type: 'string', default: '2000' },
    'interactive-every': { type: 'string', default: '10' },
    'window-ms': { type: 'string', default: '10' },
    'beat-ms': { type: 'string', default: '500' },
    'lease-ms': { type: 'string', default: '2000' },
    'drain-delay-ms': { type: 'string', default: '1000' },
    'engine-processes': { type: 'string', default: '2' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Several data nodes over one store, official clients through a load balancer, and what happens to nodes and store.

  --kill SIGNAL          SIGKILL, SIGTERM or SIGSTOP (past every lease, then continued): what a node gets
  --every S              seconds from one to the next (default 20)
  --minutes N            for how long (default 3)
  --store-outage S       the store's server is gone for S seconds, once
  --store KIND           versitygw (a real S3 server, see .ci/install-s3-servers) or file (a directory); default versitygw
  --nodes N              (default 3)
  --databases N          each with a writer and a reader (default 300)
  --pause-ms N           mean pause of each of them between two requests (default 2000)
  --interactive-every N  one transaction in so many is interactive (default 10)
  --window-ms N          commit window (default 10)
  --beat-ms, --lease-ms  timing of the lease (default 500, 2000)
  --drain-delay-ms N     how long a node that was asked to stop goes on as before (default 1000)
  --engine-processes N   per node and engine (default 2)
  --seed N               choices of the run (default: from the clock; printed)
  --write FILE           writes the result there, as JSON

Ends with 1 when something was lost, stale, torn or slower than promised.`);
  process.exit(0);
}

const blow = values.kill;
if (blow !== undefined && blow !== 'SIGKILL' && blow !== 'SIGTERM' && blow !== 'SIGSTOP')
  fail(`--kill ${blow} is unknown`);
const { store } = values;
if (store !== 'versitygw' && store !== 'file') fail(`--store ${store} is unknown`);
if (store === 'file' && values['store-outage'] !== '0') fail('--store-outage needs a store that has a server');
const everyMs = whole('every') * 1_000;
const blows: Blow[] = blow ? Array<Blow>(Math.floor((Number(values.minutes) * 60_000) / everyMs)).fill(blow) : [];

const settings = {
  seed: whole('seed'),
  nodes: whole('nodes'),
  store,
  databases: whole('databases'),
  pauseMs: whole('pause-ms'),
  interactiveEvery: whole('interactive-every'),
  everyMs,
  storeOutageMs: whole('store-outage') * 1_000,
  commitWindowMs: whole('window-ms'),
  beatMs: whole('beat-ms'),
  leaseMs: whole('lease-ms'),
  drainDelayMs: whole('drain-delay-ms'),
  engineProcesses: whole('engine-processes'),
} as const;
// Through the handlers that end what was started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const run = new KeptRun('cluster-test');
console.log(
  `seed ${settings.seed}, commit window ${settings.commitWindowMs} ms or half of the store's latency, ${blows.length} times ${blow ?? 'nothing'}`,
);
const result = await clusterRun({
  ...settings,
  blows,
  onProgress: (line) => console.log(`· ${elapsedSeconds()} ${line}`),
});

const outcome = verdicts(result);
console.log(
  `\n${result.acknowledged} transactions acknowledged, ${result.refused} refused, ${result.unknown} without a known outcome; ` +
    `${result.reads} reads; ${result.errorCount} errors at clients`,
);
for (const { met, what, measured, bound } of outcome) {
  console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${Math.round(measured)} (at most ${bound})`);
}
const codes = countBy(result.errors.map(({ request, code }) => `${request} ${code}`));
for (const [code, count] of Object.entries(codes)) console.log(`       ${count} times ${code}`);
for (const { kind, database, what } of result.violations.slice(0, 50)) console.log(`${kind}: ${database}: ${what}`);
for (const end of result.unexpectedEnds) console.log(`a node ended unasked:\n${end.slice(-2_000)}`);

if (values.write !== undefined) {
  const { errors, episodes, ...counts } = result;
  await run.write(values.write, {
    settings: { ...settings, blows: `${blows.length} × ${blow ?? 'nothing'}` },
    verdicts: outcome,
    counts,
    errorCodes: codes,
    firstErrors: errors.slice(0, 20),
    episodes: episodes.map(({ answeredAfterMs, ...episode }) => ({
      ...episode,
      answeredAfterMs: {
        p50: percentile(answeredAfterMs, 0.5),
        p99: percentile(answeredAfterMs, 0.99),
        max: Math.max(0, ...answeredAfterMs),
      },
    })),
  });
}
process.exit(outcome.every(({ met }) => met) ? 0 : 1);

function fail(message: string): never {
  console.error(`${message}; see --help`);
  process.exit(2);
}

type NumberOption = Exclude<keyof typeof values, 'kill' | 'store' | 'write' | 'help'>;

function whole(option: NumberOption): number {
  const value = Number(values[option]);
  if (!Number.isInteger(value) || value < 0) fail(`--${option} takes a whole number`);
  return value;
}

function elapsedSeconds(): string {
  return `${(run.elapsedMs / 1_000).toFixed(1).padStart(6)} s`;
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
