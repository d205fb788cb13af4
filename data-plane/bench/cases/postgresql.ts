/** The same statements on PostgreSQL: what a person would run in the place of a deployment that stays on one machine. */
import { join } from 'node:path';
import type { ObservedLoad } from '../load/load-generator.js';
import { medianFigure } from '../report/figures.js';
import type { Figure, Result } from '../report/report.js';
import { percentile } from '../statistics.js';
import { installedPostgresql, Postgresql, postgresqlVariable, type PostgresqlLoad } from '../subjects/postgresql.js';
import {
  event,
  insertEvent,
  itemCount,
  operationRequest,
  schema,
  selectItem,
  type Operation,
} from '../subjects/workload.js';
import type { BenchCase, CaseContext } from './bench-case.js';
import { roundLatencies } from './statements.js';

const operations = ['point-select', 'insert'] as const satisfies Operation[];
const readers = 32;

/** Tables and rows of the statement cases, in its dialect. */
const postgresqlSchema = [
  ...schema.map((statement) =>
    statement.replace('CREATE TABLE events (id INTEGER', 'CREATE TABLE events (id BIGSERIAL'),
  ),
  `INSERT INTO items SELECT n, 'item ' || n, n * 7 % 1000, 'a note about item number ' || n || ', of some length'
   FROM generate_series(1, ${itemCount}) n`,
];

export const postgresqlCase: BenchCase = {
  name: 'postgresql',
  title: 'Beside PostgreSQL',
  explanation:
    'The same statements on the same rows, in turns: the data node over HTTP, and PostgreSQL with the settings it ships with, over ' +
    'its own protocol with prepared statements, driven by its own pgbench (which costs less than the load generator of the ' +
    'node). Point selects: one database. Inserts: each its own transaction, from many writers; on the data node a database for each, on ' +
    'PostgreSQL one table. An insert is answered when it is on the disk of this machine (PostgreSQL) or in the object store (data ' +
    'node, after its commit window). "CPU each": of all processes of the server, for each statement.',
  run: async (context) => {
    const installed = await installedPostgresql();
    if (installed === undefined) {
      context.progress(
        `Skipped: PostgreSQL is not installed (Debian: postgresql; or ${postgresqlVariable}=<directory>)`,
      );
      return { results: [], targets: [] };
    }
    const postgresql = await Postgresql.start(installed, join(context.directory, 'postgresql'));
    try {
      await postgresql.execute(...postgresqlSchema);
      const results: Result[] = [];
      for (const operation of operations) {
        context.progress(`Beside ${postgresql.version}: ${operation}`);
        results.push(await compare(operation, postgresql, context));
      }
      return { results, targets: [] };
    } finally {
      await postgresql.stop();
    }
  },
};

async function compare(
  operation: (typeof operations)[number],
  postgresql: Postgresql,
  { budget, load, workload }: CaseContext,
): Promise<Result> {
  const { node, databases } = await workload();
  const connections = operation === 'point-select' ? readers : budget.writers;
  const used = databases.slice(0, operation === 'point-select' ? 1 : connections);
  const requests = Array.from({ length: Math.max(256, used.length) }, (_, index) =>
    operationRequest(operation, used[index % used.length]?.label ?? '', node.token, ((index * 389) % itemCount) + 1),
  );
  const extent = { kind: 'time', warmupMs: budget.warmupMs, measureMs: budget.measureMs } as const;
  const engineProcesses = node.engineProcessIds();
  const nodeRounds: ObservedLoad<'io' | 'engines'>[] = [];
  const postgresqlRounds: PostgresqlLoad[] = [];
  for (let round = 0; round < budget.rounds; round++) {
    nodeRounds.push(
      await load.run(
        { host: node.host, port: node.port, requests, connections, extent },
        { io: () => [node.ioProcessId], engines: () => engineProcesses },
      ),
    );
    postgresqlRounds.push(await postgresql.load(scripts[operation], connections, extent, event));
  }
  return {
    case: postgresqlCase.name,
    parameters: { statement: operation, connections, databases: used.length },
    figures: [
      medianFigure(
        'node',
        '/s',
        nodeRounds.map(({ perSecond }) => perSecond),
      ),
      medianFigure(
        'PostgreSQL',
        '/s',
        postgresqlRounds.map(({ perSecond }) => perSecond),
      ),
      medianFigure(
        'of PostgreSQL',
        'ratio',
        nodeRounds.map(({ perSecond }, round) => perSecond / (postgresqlRounds[round]?.perSecond ?? NaN)),
      ),
      ...roundLatencies('node', nodeRounds),
      ...latencies(postgresqlRounds),
      medianFigure(
        'node CPU each',
        'ms',
        nodeRounds.map(({ cores, perSecond }) => ((cores.io + cores.engines) / perSecond) * 1_000),
      ),
      medianFigure(
        'PostgreSQL CPU each',
        'ms',
        postgresqlRounds.map(({ cpuEachMs }) => cpuEachMs),
      ),
    ],
  };
}

const scripts: Readonly<Record<(typeof operations)[number], string>> = {
  'point-select': `\\set id random(1, ${itemCount})\n${selectItem.replace('?', ':id')};\n`,
  insert: `${insertEvent.replace('?', ':kind').replace('?', ':payload')};\n`,
};

function latencies(rounds: readonly PostgresqlLoad[]): Figure[] {
  const of = (fraction: number): number[] => rounds.map(({ latenciesMs }) => percentile(latenciesMs, fraction));
  return [medianFigure('PostgreSQL p50', 'ms', of(0.5)), medianFigure('PostgreSQL p99', 'ms', of(0.99))];
}
