/** Statements over HTTP beside the bare server and the engine alone. */
import type { ObservedLoad } from '../load/load-generator.js';
import { medianFigure, target } from '../report/figures.js';
import type { Figure, Result, Target } from '../report/report.js';
import { percentile } from '../statistics.js';
import { BareServer } from '../subjects/bare-server.js';
import type { BenchDatabase, DataNode } from '../subjects/data-node.js';
import { EngineAlone } from '../subjects/engine-alone.js';
import { itemCount, operationBody, operationRequest, operations, type Operation } from '../subjects/workload.js';
import type { BenchCase, CaseContext, CaseOutcome } from './bench-case.js';

/** Of the bare server, with 32 connections. */
const pointSelectRatio = 0.6;

export const statementCases: readonly BenchCase[] = operations.map(({ name, title }) => ({
  name,
  title,
  explanation:
    'Requests a second of the data node (v3 pipelines), of a bare `node:http` server that reads each request and answers ' +
    'the same bytes, and of the engine called in-process. The three take turns in every round; ratios are medians over ' +
    'the rounds. "CPU each": CPU time of all processes of the node, or of the bare server, for each request. Cores in use: ' +
    'I/O process, engine processes, load generator.',
  run: async (context) => runOperation(name, title, context),
}));

interface Subjects {
  readonly node: DataNode;
  readonly bare: BareServer;
  readonly engine: EngineAlone;
  readonly databases: readonly BenchDatabase[];
}

async function runOperation(operation: Operation, title: string, context: CaseContext): Promise<CaseOutcome> {
  const { node, databases } = await context.workload();
  const bare = await BareServer.start();
  const engine = new EngineAlone(context.directory);
  try {
    const results: Result[] = [];
    for (const load of context.budget.loads) {
      context.progress(`${title}: ${load.connections} connections, ${load.databases} databases`);
      results.push(await compare(operation, load, { node, bare, engine, databases }, context));
    }
    return { results, targets: operation === 'point-select' ? targets(results) : [] };
  } finally {
    bare.stop();
    engine.stop();
  }
}

function targets(results: readonly Result[]): Target[] {
  return results
    .filter(({ parameters }) => parameters.connections === 32)
    .map(({ parameters, figures }) => {
      const ratio = figures.find(({ name }) => name === 'of bare')?.value ?? 0;
      const name = `point select, 32 connections, ${String(parameters.databases)} databases: part of the bare server`;
      return target(name, 'ratio', ratio, 'at least', pointSelectRatio);
    });
}

async function compare(
  operation: Operation,
  { connections, databases: count }: { connections: number; databases: number },
  { node, bare, engine, databases }: Subjects,
  { budget, load }: CaseContext,
): Promise<Result> {
  const used = databases.slice(0, count);
  // Neighbouring requests go to different databases, and ask for rows all over the table.
  const requests = Array.from({ length: Math.max(256, count) }, (_, index) => {
    const database = used[index % count] as BenchDatabase;
    return operationRequest(operation, database.label, node.token, ((index * 389) % itemCount) + 1);
  });
  await bare.answerWith(await node.pipeline(used[0] as BenchDatabase, operationBody(operation, 1)));
  const plan = {
    host: node.host,
    requests,
    connections,
    extent: { kind: 'time', warmupMs: budget.warmupMs, measureMs: budget.measureMs },
  } as const;
  const engineProcesses = node.engineProcessIds();

  const nodeRounds: ObservedLoad<'io' | 'engines'>[] = [];
  const bareRounds: ObservedLoad<'bare'>[] = [];
  const engineRounds: number[] = [];
  for (let round = 0; round < budget.rounds; round++) {
    nodeRounds.push(
      await load.run({ ...plan, port: node.port }, { io: () => [node.ioProcessId], engines: () => engineProcesses }),
    );
    bareRounds.push(await load.run({ ...plan, port: bare.port }, { bare: () => bare.processIds() }));
    engineRounds.push(await engine.run(operation, count, budget.measureMs / 2));
  }

  const ratio = (to: readonly number[]): number[] =>
    nodeRounds.map(({ perSecond }, round) => perSecond / (to[round] ?? 0));
  const barePerSecond = bareRounds.map(({ perSecond }) => perSecond);
  return {
    case: operation,
    parameters: { connections, databases: count },
    figures: [
      medianFigure(
        'node',
        '/s',
        nodeRounds.map(({ perSecond }) => perSecond),
      ),
      medianFigure('bare', '/s', barePerSecond),
      medianFigure('of bare', 'ratio', ratio(barePerSecond)),
      medianFigure('engine alone', '/s', engineRounds),
      medianFigure('of engine', 'ratio', ratio(engineRounds)),
      medianFigure(
        'node CPU each',
        'ms',
        nodeRounds.map(({ cores, perSecond }) => ((cores.io + cores.engines) / perSecond) * 1_000),
      ),
      medianFigure(
        'bare CPU each',
        'ms',
        bareRounds.map(({ cores, perSecond }) => (cores.bare / perSecond) * 1_000),
      ),
      ...roundLatencies('node', nodeRounds),
      ...roundLatencies('bare', bareRounds),
      medianFigure(
        'I/O cores',
        'cores',
        nodeRounds.map(({ cores }) => cores.io),
      ),
      medianFigure(
        'engine cores',
        'cores',
        nodeRounds.map(({ cores }) => cores.engines),
      ),
      medianFigure(
        'load cores',
        'cores',
        nodeRounds.map(({ cores }) => cores.generator),
      ),
      medianFigure(
        'bare cores',
        'cores',
        bareRounds.map(({ cores }) => cores.bare),
      ),
      medianFigure(
        'load cores (bare)',
        'cores',
        bareRounds.map(({ cores }) => cores.generator),
      ),
    ],
  };
}

/** Medians over the rounds of each round's percentiles. */
export function roundLatencies(name: string, rounds: readonly ObservedLoad<string>[]): Figure[] {
  const of = (fraction: number): number[] => rounds.map(({ result }) => percentile(result.latenciesMs, fraction));
  return [medianFigure(`${name} p50`, 'ms', of(0.5)), medianFigure(`${name} p99`, 'ms', of(0.99))];
}
