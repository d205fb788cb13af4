/** docs/scale.md and its plots, from the result of `npm run scale`. */
import { linePlot } from '@turso-byoc/data-plane/bench/plot/plot.js';
import { prices } from '@turso-byoc/cdk/cost/prices-2026-11.js';
import { markdownTable } from '@turso-byoc/data-plane/bench/report/result-table.js';
import type { Growth } from './extrapolation.js';
import { instanceType, type FleetFigures, type PrefixFigures } from './fleet-figures.js';
import {
  openDatabases,
  opensPerOpenDatabaseAndMinute,
  readsPerOpenDatabaseAndMinute,
  writesPerOpenDatabaseAndMinute,
} from './fleets.js';
import { benchmarkFile } from './measured-figures.js';
import { expressBucket, kmsRequestsPerSecond, openDatabasesPerNode, standardPrefix } from './published-limits.js';
import type { ScaleResult } from './scale-result.js';

const number = (value: number): string =>
  value === 0
    ? '0'
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString('en')
      : String(Number(value.toPrecision(3)));
const dollars = (value: number): string =>
  value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => markdownTable({ head, rows });
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export interface Plot {
  /** File name, beside the others in docs/plots. */
  readonly name: string;
  readonly svg: string;
}

export function scalePlots({ fleets, growth }: ScaleResult): Plot[] {
  const requests = growth.filter(({ limit, unit }) => limit === standardPrefix.readsPerSecond && unit === 'reads/s');
  const [first] = requests;
  const plots: Plot[] = [
    {
      name: 'scale-requests.svg',
      svg: linePlot({
        title: 'Reads per second of one prefix, as a fleet grows',
        xTitle: 'nodes, 10,000 databases each',
        yTitle: 'reads a second',
        isLogarithmic: true,
        series: [
          ...requests.map(({ what, points }) => ({ name: shortened(what), points })),
          {
            name: 'limit of a partition',
            isDashed: true,
            points: (first?.points ?? []).map(({ x }) => ({ x, y: standardPrefix.readsPerSecond })),
          },
        ],
      }),
    },
    {
      name: 'scale-recovery.svg',
      svg: linePlot({
        title: 'Loss of a zone: until a database answers again',
        xTitle: 'nodes',
        yTitle: 'milliseconds',
        series: (['p50Ms', 'p99Ms', 'maxMs'] as const).map((key) => ({
          name: { p50Ms: 'p50', p99Ms: 'p99', maxMs: 'slowest' }[key],
          points: fleets.map(({ fleet, run }) => ({ x: fleet.nodes, y: run.loss.moved[key] })),
        })),
      }),
    },
    {
      name: 'scale-cost.svg',
      svg: linePlot({
        title: 'Cost of a month for a database',
        xTitle: 'databases',
        yTitle: 'US dollars',
        isLogarithmic: true,
        series: [
          {
            name: 'in all',
            points: fleets.map(({ fleet, dollarsPerDatabase }) => ({ x: fleet.databases, y: dollarsPerDatabase })),
          },
          {
            name: 'without instances',
            points: fleets.map(({ fleet, cost }) => ({
              x: fleet.databases,
              y: sum(cost.slice(1).map((line) => line.dollars)) / fleet.databases,
            })),
          },
        ],
      }),
    },
  ];
  return plots;
}

const shortened = (what: string): string => {
  const text = what.split(/[,:]/)[0] ?? what;
  return text.replaceAll('`', '').slice(0, 28);
};

export function scalePage(result: ScaleResult, resultFile: string, command: string): string {
  const { fleets, growth } = result;
  const largest = fleets.at(-1);
  if (!largest) throw new RangeError('a result without fleets');
  const columns = fleets.map(({ fleet }) => fleet.name);
  const row = (what: string, of: (figures: FleetFigures) => string): string[] => [what, ...fleets.map(of)];
  return [
    '# Scale: up to a million databases on a hundred nodes, and beyond',
    `This page is made by \`npm run scale\` from [\`${resultFile}\`](${resultFile.replace('docs/', '')}); nothing in it is written by hand. The kept result was
made by \`${command}\`. The same seed gives the same figures, but for the microseconds of the placement.`,
    `Three fleets run in the [simulator](simulator.md): the product's own nodes with their log in three zones, packs, claims,
leases and recovery, under virtual time over stores with the latencies of S3 and S3 Express. Placement is the product's own
function, called for the databases of the fleet. Engines are models, and virtual time does not know how long a processor
works: what takes CPU and memory is arithmetic from [\`${benchmarkFile}\`](${benchmarkFile.replace('docs/', '')}), which was measured on real nodes. No fleet of this
size was ever run on AWS.`,
    '## The fleets',
    `An open database takes a write in ${writesPerOpenDatabaseAndMinute} minute and ${readsPerOpenDatabaseAndMinute} reads; a part of ${opensPerOpenDatabaseAndMinute} of those that are open is opened anew each minute. The
others are objects in the store: nobody asks for them, and they cause no request. Where fewer databases were simulated than
are open, these wrote as often as all of them would, so that nodes logged as much; what is asked for each database when a
zone is lost is multiplied.`,
    table(
      ['', ...columns],
      [
        row('nodes', ({ fleet }) => number(fleet.nodes)),
        row('databases', ({ fleet }) => number(fleet.databases)),
        row('of these open', ({ fleet }) => number(openDatabases(fleet))),
        row('simulated one by one', ({ run }) => number(run.simulatedDatabases)),
        row('commits in the simulated time', ({ run }) => `${number(run.steadyCommits)} in ${run.steadySeconds} s`),
        row('databases placed', ({ placement }) => number(placement.placed)),
        row('fullest node, of the mean', ({ placement }) => number(placement.fullestOfMean)),
        row('emptiest node, of the mean', ({ placement }) => number(placement.emptiestOfMean)),
        row('a choice of a node takes', ({ placement }) => `${number(placement.microsecondsEach)} µs`),
      ],
    ),
    '## A zone is lost',
    `A third of the nodes and one of the three zones of the log end at the same instant, and all clients of all open databases
send a write in that instant. Nodes are not replaced. Nothing acknowledged was lost in any run: every database was read
afterwards.`,
    table(
      ['', ...columns],
      [
        row('nodes lost', ({ run }) => number(run.loss.lostNodes)),
        row('their databases answer a write again: p50', ({ run }) => `${number(run.loss.moved.p50Ms)} ms`),
        row('p99', ({ run }) => `${number(run.loss.moved.p99Ms)} ms`),
        row('slowest', ({ run }) => `${number(run.loss.moved.maxMs)} ms`),
        row('databases of nodes that stay: p50', ({ run }) => `${number(run.loss.stayed.p50Ms)} ms`),
        row('p99', ({ run }) => `${number(run.loss.stayed.p99Ms)} ms`),
        row('databases that moved', ({ placement }) => `${number(placement.movedPart * 100)} %`),
        row('moved although their node stayed', ({ placement }) => number(placement.movedWithoutReason)),
        row('fullest node afterwards, of the mean before', ({ placement }) => number(placement.fullestOfMeanAfterLoss)),
        row('acknowledged writes missing', ({ run }) => number(run.lost)),
      ],
    ),
    '![Time until a database answers again](plots/scale-recovery.svg)',
    `The lease of two seconds is most of it. On top come, in a real fleet, what a load balancer takes to notice that targets are
gone, and the CPU time of the opens: the log of a node with 50,000 open databases was recovered in
${number(result.measured.recoveryOf50000Ms)} ms of one core on a real one.`,
    '## Load of the stores against the published limits',
    `S3 bears ${number(standardPrefix.writesPerSecond)} writes and deletions and ${number(standardPrefix.readsPerSecond)} reads a second in each partition of a bucket's names, and splits
partitions by itself while a load lasts. A directory bucket of S3 Express bears ${number(expressBucket.writesPerSecond)} writes and ${number(expressBucket.readsPerSecond)} reads. Worst:
the busiest second, of the steady time or of the loss of the zone, in the fleet \`${largest.fleet.name}\`; all of a prefix in one partition.`,
    prefixTable(largest.prefixes),
    '## Memory and processors of a node',
    `${number(result.measured.bytesPerOpenDatabase)} bytes for an open database (engine \`libsql\`) and what processes and log need beside; an instance
\`${instanceType}\` has ${String(prices.instances[instanceType]?.gib)} GiB and ${String(prices.instances[instanceType]?.cpus)} CPUs. A node keeps at most ${number(openDatabasesPerNode)} databases open (\`TURSO_BYOC_MAX_OPEN_DATABASES\`).`,
    table(
      ['', ...columns],
      [
        row('open databases of a node', ({ mean }) => number(mean.openDatabases)),
        row('memory', ({ mean }) => `${number(mean.memoryBytes / 1e9)} GB`),
        row('processors in use', ({ mean }) => number(mean.coresInUse)),
        row('fullest node after the loss of a zone', ({ fullestAfterLoss }) => number(fullestAfterLoss.openDatabases)),
        row('its memory', ({ fullestAfterLoss }) => `${number(fullestAfterLoss.memoryBytes / 1e9)} GB`),
      ],
    ),
    '## Cost of a month',
    `List prices of ${prices.region} as of ${prices.asOf} ([\`cdk/cost/prices-${prices.asOf}.ts\`](../cdk/cost/prices-${prices.asOf}.ts)), US dollars; 1 MiB for each database, its history included. Beside these a
deployment has a floor that does not grow with it: endpoints, load balancer, keys ([cost.md](cost.md)).`,
    costTable(fleets),
    '![Cost of a month for a database](plots/scale-cost.svg)',
    '## To a hundred million, and where it ends',
    `One fleet that grows in step, ${number(largest.fleet.databases / largest.fleet.nodes)} databases for each node: load at the size of \`${largest.fleet.name}\`, load at 100 million databases on
${number((100_000_000 / largest.fleet.databases) * largest.fleet.nodes)} nodes, and the most nodes before the limit is met. "Splits": S3 can spread it over more partitions, so that the
limit is of each of them. KMS: ${number(kmsRequestsPerSecond)} requests a second, the lowest quota of any region.`,
    growthTable(growth),
    '![Reads of one prefix as a fleet grows](plots/scale-requests.svg)',
    `So one fleet ends, first of all, where something cannot be split and grows with the nodes or with their square: ${ends(growth)}.
**A hundred million databases are a hundred fleets of the size of \`${largest.fleet.name}\`**, each a deployment with buckets, a
key and a catalog of its own, and none knows of another. Every figure above is then a hundred times that of \`${largest.fleet.name}\`, in
a hundred places: no prefix, no listing and no quota of a bucket is shared. Shared are the quotas of the account and region
(KMS requests, instances), for which accounts are the answer. The cost is a hundred times ${dollars(sum(largest.cost.map((line) => line.dollars)))} dollars a month:
${dollars(100 * sum(largest.cost.map((line) => line.dollars)))}. What is missing for it in the product: an address that leads to the fleet of a database. Today that is the
host name, so organizations are given to fleets by DNS (\`*.fleet-17.example.com\`); moving an organization between fleets is a
[backup and a restore](operations/backup.md).`,
    '## What it cannot tell',
    `- CPU time of opens, folds and recovery is not in virtual time; neither are garbage collection of the heap, the network's
  bandwidth, nor the pace at which S3 splits partitions.
- Databases are small, one page written at a time. Large ones cost reads when they are opened.
- Of a million databases those that are open were placed, and some of these created: a name and a manifest were made for those
  that were simulated. The others are rows of arithmetic.
- The catalog of the control plane is one database; a million rows fit it, a hundred million do not.`,
    '',
  ].join('\n\n');
}

function ends(growth: readonly Growth[]): string {
  return growth
    .filter(({ splits }) => !splits)
    .sort((one, other) => one.mostNodes - other.mostNodes)
    .slice(0, 4)
    .map(({ what, mostNodes }) => `${what} at ${number(mostNodes)} nodes`)
    .join('; ');
}

function prefixTable(prefixes: readonly PrefixFigures[]): string {
  return table(
    [
      'store',
      'prefix',
      'writes/s',
      'deletions/s',
      'reads/s',
      'listings/s',
      'worst writes/s',
      'worst reads/s',
      'partitions needed',
    ],
    prefixes.map((load) => {
      const limit = load.store === 'data' ? standardPrefix : expressBucket;
      const partitions = Math.ceil(
        Math.max(load.worstWrites / limit.writesPerSecond, load.worstReads / limit.readsPerSecond),
      );
      const { store, prefix, writesPerSecond, deletesPerSecond, readsPerSecond, listsPerSecond } = load;
      return [
        store === 'data' ? 'S3 Standard' : `S3 Express, ${store}`,
        `\`${prefix}/\``,
        ...[writesPerSecond, deletesPerSecond, readsPerSecond, listsPerSecond, load.worstWrites, load.worstReads].map(
          number,
        ),
        String(Math.max(1, partitions)),
      ];
    }),
  );
}

function costTable(fleets: readonly FleetFigures[]): string {
  const lines = fleets[0]?.cost ?? [];
  return table(
    ['', ...fleets.map(({ fleet }) => fleet.name)],
    [
      ...lines.map(({ what }, index) => [
        index === 0 ? `instances ${instanceType}` : what,
        ...fleets.map(({ cost }) => dollars(cost[index]?.dollars ?? 0)),
      ]),
      ['in all', ...fleets.map(({ cost }) => dollars(sum(cost.map((line) => line.dollars))))],
      ['for a database', ...fleets.map(({ dollarsPerDatabase }) => String(Number(dollarsPerDatabase.toPrecision(3))))],
    ],
  );
}

function growthTable(growth: readonly Growth[]): string {
  return table(
    ['what', 'unit', 'now', 'at 100 million', 'limit', 'splits', 'most nodes', 'answer'],
    growth.map(({ what, unit, now, at100Million, limit, splits, mostNodes, answer }) => [
      what,
      unit,
      number(now),
      number(at100Million),
      number(limit),
      splits ? 'yes' : 'no',
      number(mostNodes),
      answer,
    ]),
  );
}
