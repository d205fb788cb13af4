/** Group commit: one writer, and many writers on as many databases. */
import type { ObservedLoad } from '../load/load-generator.js';
import { MetricsDifference } from '../measure/metrics-snapshot.js';
import { medianFigure, singleFigure, target } from '../report/figures.js';
import type { Figure, Result } from '../report/report.js';
import type { BenchDatabase, DataNode } from '../subjects/data-node.js';
import { operationRequest } from '../subjects/workload.js';
import { commitWindowMs, type BenchCase, type CaseContext } from './bench-case.js';
import { roundLatencies } from './statements.js';

const transactionsPerLogObject = 30;
/** What a commit may take beyond the window and the write to the store. */
const allowanceMs = 5;

export const writersCase: BenchCase = {
  name: 'writers',
  title: 'Writers',
  explanation:
    'Single-row inserts, each its own transaction, by writers that wait for each answer, one database per writer. ' +
    `"bound" is the commit window (${commitWindowMs} ms) + the mean time of a write to the store in the same rounds + ` +
    `${allowanceMs} ms. Store requests include folding.`,
  run: async (context) => {
    const { node, databases } = await context.workload();
    const results: Result[] = [];
    for (const writers of [1, context.budget.writers]) {
      context.progress(`Writers: ${writers}`);
      results.push(await measure(node, databases.slice(0, writers), context));
    }
    const [, many] = results;
    const figure = (name: string): number => many?.figures.find((candidate) => candidate.name === name)?.value ?? NaN;
    const perLogObject = `transactions per log object, ${context.budget.writers} writers`;
    const medianCommit = `median commit, ${context.budget.writers} writers`;
    return {
      results,
      targets: [
        target(perLogObject, 'count', figure('commits per log object'), 'at least', transactionsPerLogObject),
        target(medianCommit, 'ms', figure('commit p50'), 'at most', figure('bound')),
      ],
    };
  },
};

async function measure(
  node: DataNode,
  databases: readonly BenchDatabase[],
  { budget, load }: CaseContext,
): Promise<Result> {
  const requests = databases.map(({ label }) => operationRequest('insert', label, node.token, 1));
  const rounds: ObservedLoad<'io' | 'engines'>[] = [];
  const counted: { readonly commits: number; readonly difference: MetricsDifference }[] = [];
  const engineProcesses = node.engineProcessIds();
  // What the node counts must have been caused by exactly the measured commits, so the warm-up is a run of its own.
  const run = async (measureMs: number): Promise<ObservedLoad<'io' | 'engines'>> =>
    load.run(
      {
        host: node.host,
        port: node.port,
        requests,
        connections: requests.length,
        extent: { kind: 'time', warmupMs: 0, measureMs },
      },
      { io: () => [node.ioProcessId], engines: () => engineProcesses },
    );
  await run(budget.warmupMs);
  for (let round = 0; round < budget.writerRounds; round++) {
    const before = await node.metrics();
    const observed = await run(budget.writerMeasureMs);
    rounds.push(observed);
    counted.push({
      // Each writer's last transaction ends after the measured time; the node has counted it.
      commits: observed.result.completed + requests.length,
      difference: new MetricsDifference(before, await node.metrics()),
    });
  }
  const storeWriteMs = medianFigure(
    'store write',
    'ms',
    counted.map(({ difference }) => difference.meanStoreWriteMs),
  );
  const figures: Figure[] = [
    medianFigure(
      'commits',
      '/s',
      rounds.map(({ perSecond }) => perSecond),
    ),
    medianFigure(
      'commits per log object',
      'count',
      counted.map(({ commits, difference }) => commits / difference.logObjects),
    ),
    ...roundLatencies('commit', rounds),
    storeWriteMs,
    singleFigure('bound', 'ms', commitWindowMs + storeWriteMs.value + allowanceMs),
    medianFigure(
      'store requests per 1,000 commits',
      'count',
      counted.map(({ commits, difference }) => (difference.storeRequests / commits) * 1_000),
    ),
    medianFigure(
      'of these, log objects',
      'count',
      counted.map(({ commits, difference }) => (difference.logObjects / commits) * 1_000),
    ),
    medianFigure(
      'I/O cores',
      'cores',
      rounds.map(({ cores }) => cores.io),
    ),
    medianFigure(
      'engine cores',
      'cores',
      rounds.map(({ cores }) => cores.engines),
    ),
    medianFigure(
      'load cores',
      'cores',
      rounds.map(({ cores }) => cores.generator),
    ),
  ];
  return { case: writersCase.name, parameters: { writers: databases.length }, figures };
}
