/** What sealing costs: the same node with AES-256-GCM and with a cipher that does nothing, in turns. */
import { join } from 'node:path';
import { medianFigure, ratioFigures, target } from '../report/figures.js';
import type { Figure, Result } from '../report/report.js';
import { ratioInterval, type RatioInterval } from '../statistics.js';
import { DataNode, type BenchDatabase } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { createFilled } from '../subjects/filled-database.js';
import { operationRequest, schema } from '../subjects/workload.js';
import { commitWindowMs, type BenchCase, type CaseContext } from './bench-case.js';

const mebibyte = 2 ** 20;
/** Databases that are written stay open; those that are read cold are closed soon. */
const staysOpenMs = 86_400_000;
const idleCloseMs = 300;
const readEverything = 'SELECT sum(length(content)) FROM blobs';
const mostOnColdReads = 1.06;
const mostOnCommits = 1.14;

/** What one of the two nodes that take turns works on. */
interface Filled {
  readonly deployment: Deployment;
  readonly preloaded: readonly string[];
  readonly writers: readonly BenchDatabase[];
  readonly small: readonly BenchDatabase[];
  readonly large: BenchDatabase;
}

type Subject = Filled & { readonly node: DataNode };

interface Pair<Value> {
  readonly sealed: Value;
  readonly plain: Value;
}

export const encryptionCase: BenchCase = {
  name: 'encryption',
  title: 'What encryption costs',
  explanation:
    'Two nodes, each with a store of its own: the product, and the product with AES-256-GCM replaced by a cipher that copies ' +
    'nothing and checks nothing (it exists in the benchmarks only). They take turns, the first of each turn alternating. ' +
    'Ratios are of the sealed node to the plain one in the same turn: geometric mean, and its 95 % confidence interval. ' +
    'Cold read: a database that is not open is opened and read whole. Commits: as many writers as databases, each waiting ' +
    'for its answer; time per commit, and CPU time of all processes of the node per commit.',
  run: async (context) => {
    const { progress, budget } = context;
    progress('Encryption: filling databases');
    const filled: Pair<Filled> = { sealed: await fill('sealed', context), plain: await fill('plain', context) };
    const commits = await withNodes(filled, staysOpenMs, async (subjects) => {
      const pairs: Pair<CommitCost>[] = [];
      for (let turn = 0; turn < budget.encryptionTurns; turn++) {
        progress(`Encryption: commits, turn ${turn + 1} of ${budget.encryptionTurns}`);
        pairs.push(await inTurns(turn, subjects, async (subject) => commit(subject, context)));
      }
      return pairs;
    });
    const { small, large } = await withNodes(filled, idleCloseMs, async (subjects) => {
      const pairs = { small: [] as Pair<number>[], large: [] as Pair<number>[] };
      for (let turn = 0; turn < budget.encryptionTurns; turn++) {
        progress(`Encryption: cold reads, turn ${turn + 1} of ${budget.encryptionTurns}`);
        pairs.small.push(await inTurns(turn, subjects, async ({ node, small }) => coldRead(node, small)));
        pairs.large.push(await inTurns(turn, subjects, async ({ node, large }) => coldRead(node, [large])));
      }
      return pairs;
    });
    const commitTime = ratios(commits.map(({ sealed, plain }) => sealed.ms / plain.ms));
    const commitCpu = ratios(commits.map(({ sealed, plain }) => sealed.cpuMs / plain.cpuMs));
    const smallTime = ratios(small.map(({ sealed, plain }) => sealed / plain));
    const largeTime = ratios(large.map(({ sealed, plain }) => sealed / plain));
    return {
      results: [
        result(`commits, ${budget.writers} writers`, [
          ...times('commit', commits.map(pairOf('ms'))),
          ...ratioFigures('time', commitTime.samples, commitTime.interval),
          ...times('CPU', commits.map(pairOf('cpuMs'))),
          ...ratioFigures('CPU', commitCpu.samples, commitCpu.interval),
        ]),
        result(`cold read, ${megabytes(budget.smallBytes)}`, [
          ...times('cold read', small),
          ...ratioFigures('time', smallTime.samples, smallTime.interval),
        ]),
        result(`cold read, ${megabytes(budget.encryptionLargeBytes)}`, [
          ...times('cold read', large),
          ...ratioFigures('time', largeTime.samples, largeTime.interval),
        ]),
      ],
      targets: [
        target('encryption: commits', 'ratio', commitTime.interval.mean, 'at most', mostOnCommits),
        target('encryption: cold read, small', 'ratio', smallTime.interval.mean, 'at most', mostOnColdReads),
        target('encryption: cold read, large', 'ratio', largeTime.interval.mean, 'at most', mostOnColdReads),
      ],
    };
  },
};

async function fill(name: keyof Pair<unknown>, { directory, budget }: CaseContext): Promise<Filled> {
  const deployment = await Deployment.create(join(directory, name));
  const preloaded = name === 'plain' ? [import.meta.resolve('../subjects/null-cipher.js')] : [];
  const node = await startNode({ deployment, preloaded }, staysOpenMs);
  const writers: BenchDatabase[] = [];
  for (let at = 0; at < budget.writers; at++) {
    const database = await node.createDatabase(`writer${at}`);
    await node.execute(database, ...schema);
    writers.push(database);
  }
  const small: BenchDatabase[] = [];
  for (let at = 0; at < budget.smallDatabases; at++) {
    small.push(await createFilled(node, `small${at}`, budget.smallBytes));
  }
  const large = await createFilled(node, 'large', budget.encryptionLargeBytes);
  await node.stop();
  return { deployment, preloaded, writers, small, large };
}

async function startNode(
  { deployment, preloaded }: Pick<Filled, 'deployment' | 'preloaded'>,
  idleCloseAfterMs: number,
): Promise<DataNode> {
  const environment = {
    TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
    TURSO_BYOC_IDLE_CLOSE_MS: String(idleCloseAfterMs),
  };
  return DataNode.start(deployment, environment, preloaded);
}

/** Runs both nodes for the time of `measure`. */
async function withNodes<Value>(
  { sealed, plain }: Pair<Filled>,
  idleCloseAfterMs: number,
  measure: (subjects: Pair<Subject>) => Promise<Value>,
): Promise<Value> {
  const nodes = [await startNode(sealed, idleCloseAfterMs), await startNode(plain, idleCloseAfterMs)] as const;
  try {
    return await measure({ sealed: { ...sealed, node: nodes[0] }, plain: { ...plain, node: nodes[1] } });
  } finally {
    for (const node of nodes) await node.stop();
  }
}

async function inTurns<Value>(
  turn: number,
  subjects: Pair<Subject>,
  measure: (subject: Subject) => Promise<Value>,
): Promise<Pair<Value>> {
  if (turn % 2 === 0) {
    const sealed = await measure(subjects.sealed);
    return { sealed, plain: await measure(subjects.plain) };
  }
  const plain = await measure(subjects.plain);
  return { plain, sealed: await measure(subjects.sealed) };
}

interface CommitCost {
  readonly ms: number;
  readonly cpuMs: number;
}

async function commit({ node, writers }: Subject, { load, budget }: CaseContext): Promise<CommitCost> {
  const pids = [node.ioProcessId, ...node.engineProcessIds()];
  const requests = writers.map(({ label }) => operationRequest('insert', label, node.token, 1));
  const { result, cores } = await load.run(
    {
      host: node.host,
      port: node.port,
      requests,
      connections: requests.length,
      extent: { kind: 'time', warmupMs: Math.max(1_000, budget.encryptionMs / 2), measureMs: budget.encryptionMs },
    },
    { node: () => pids },
  );
  if (result.completed === 0) throw new Error(`no writer had an answer within ${budget.encryptionMs} ms`);
  return {
    ms: (result.elapsedMs * requests.length) / result.completed,
    cpuMs: (cores.node * result.elapsedMs) / result.completed,
  };
}

/** Mean time in ms, each database opened once. Waits until all are closed. */
async function coldRead(node: DataNode, databases: readonly BenchDatabase[]): Promise<number> {
  await node.allClosed();
  const startMs = performance.now();
  for (const database of databases) await node.execute(database, readEverything);
  return (performance.now() - startMs) / databases.length;
}

function ratios(samples: readonly number[]): { samples: readonly number[]; interval: RatioInterval } {
  return { samples, interval: ratioInterval(samples) };
}

function pairOf(name: keyof CommitCost): (pair: Pair<CommitCost>) => Pair<number> {
  return ({ sealed, plain }) => ({ sealed: sealed[name], plain: plain[name] });
}

function times(name: string, pairs: readonly Pair<number>[]): Figure[] {
  return [
    medianFigure(
      `${name}, sealed`,
      'ms',
      pairs.map(({ sealed }) => sealed),
    ),
    medianFigure(
      `${name}, plain`,
      'ms',
      pairs.map(({ plain }) => plain),
    ),
  ];
}

function result(what: string, figures: Figure[]): Result {
  return { case: encryptionCase.name, parameters: { what }, figures };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MB`;
}
