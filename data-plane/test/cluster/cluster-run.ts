/**
 * Several data nodes over one store, load on many databases by official clients through a load balancer, and blows at
 * regular times. Counted are violations (see ledger.ts), errors that clients saw, and how soon databases answer again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, type SeededRandom } from '../seeded-random.js';
import type { DataNode } from '../support/data-node.js';
import { Cluster } from './cluster.js';
import type { ClusterStoreKind } from './cluster-store.js';
import { checkAll, freeze, kill, storeOutage, terminate, type Episode, type Surroundings } from './episodes.js';
import { Ledger, type LedgerFailure } from './ledger.js';
import { percentile } from './statistics.js';
import { openClient, Workload, type ClientError } from './workload.js';

export type Blow = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';

export interface ClusterRunOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly store: ClusterStoreKind;
  readonly databases: number;
  /** Mean pause of each writer and each reader. */
  readonly pauseMs: number;
  readonly interactiveEvery: number;
  /** One after the other, each on one node. */
  readonly blows: readonly Blow[];
  /** From the beginning of one blow to the next, if it is over by then. */
  readonly everyMs: number;
  /** Stops the store's server once, for this long, after the blows; 0 = never. */
  readonly storeOutageMs: number;
  readonly commitWindowMs: number;
  readonly beatMs: number;
  readonly leaseMs: number;
  readonly drainDelayMs: number;
  readonly engineProcesses: number;
  readonly onProgress?: (line: string) => void;
}

export interface ClusterRunResult {
  readonly acknowledged: number;
  /** Transactions without a known outcome. */
  readonly unknown: number;
  /** Transactions that the service said had no effect. */
  readonly refused: number;
  readonly reads: number;
  readonly violations: readonly LedgerFailure[];
  /** Databases that did not answer the final check. */
  readonly unanswered: readonly string[];
  /** Nodes that ended, also at their start, though nobody had ended them: the last lines of their logs. */
  readonly unexpectedEnds: readonly string[];
  readonly errorCount: number;
  readonly errors: readonly ClientError[];
  readonly episodes: readonly Episode[];
}

const warmUpMs = 5_000;
const settleMs = 3_000;
const keptLogLines = 15;

export async function clusterRun(options: ClusterRunOptions): Promise<ClusterRunResult> {
  const { seed, nodes, store, leaseMs, onProgress = () => undefined } = options;
  const cluster = await Cluster.start({
    nodes,
    store,
    environment: {
      TURSO_BYOC_COMMIT_WINDOW_MS: String(options.commitWindowMs),
      TURSO_BYOC_BEAT_MS: String(options.beatMs),
      TURSO_BYOC_LEASE_MS: String(leaseMs),
      TURSO_BYOC_DRAIN_DELAY_MS: String(options.drainDelayMs),
      TURSO_BYOC_ENGINE_PROCESSES: String(options.engineProcesses),
    },
  });
  try {
    onProgress(`${nodes} nodes serve`);
    const violations: LedgerFailure[] = [];
    const ledgers = await createLedgers(cluster, options.databases, (failure) => {
      violations.push(failure);
      onProgress(`${failure.kind}: ${failure.database}: ${failure.what}`);
    });
    onProgress(`${ledgers.length} databases created`);
    const workload = new Workload({
      seed,
      ledgers,
      pauseMs: options.pauseMs,
      interactiveEvery: options.interactiveEvery,
      url: ({ database }) => cluster.url(database),
    });
    const surroundings = { cluster, ledgers, workload, leaseMs };
    workload.start();
    const unexpectedEnds: string[] = [];
    const episodes = await strike(surroundings, options, unexpectedEnds, onProgress);
    await delay(settleMs);
    await workload.stop();
    const unanswered = await checkAll(surroundings, { thoroughly: true });
    const sum = (count: (ledger: Ledger) => number): number =>
      ledgers.reduce((total, ledger) => total + count(ledger), 0);
    return {
      acknowledged: sum(({ acknowledged }) => acknowledged.size),
      unknown: sum(({ unknown }) => unknown.size),
      refused: sum(({ refused }) => refused.size),
      reads: workload.reads,
      violations,
      unanswered: unanswered.map(({ database }) => database.name),
      unexpectedEnds: [...unexpectedEnds, ...cluster.failedStarts],
      errorCount: workload.errorCount,
      errors: workload.errors,
      episodes,
    };
  } finally {
    await cluster.dispose();
  }
}

async function strike(
  surroundings: Surroundings,
  { seed, blows, everyMs, storeOutageMs }: ClusterRunOptions,
  unexpectedEnds: string[],
  onProgress: (line: string) => void,
): Promise<Episode[]> {
  const { cluster, workload } = surroundings;
  const random = seededRandom(seed);
  const run = { SIGKILL: kill, SIGTERM: terminate, SIGSTOP: freeze };
  const episodes: Episode[] = [];
  const over = async (episode: Episode): Promise<void> => {
    episodes.push(episode);
    for (const node of cluster.nodes) {
      if (node.isRunning) continue;
      unexpectedEnds.push(node.logLines.slice(-keptLogLines).join('\n'));
      onProgress('a node has ended unasked');
      await cluster.startAgain(node);
    }
    await checkAll(surroundings, { thoroughly: false });
    const slowest = Math.max(0, ...episode.answeredAfterMs);
    onProgress(
      `${episodes.length}. ${episode.kind}: ${episode.databases} databases, ` +
        (episode.condemnedAfterMs === undefined ? '' : `condemned after ${episode.condemnedAfterMs} ms, `) +
        `half of them answered after ${Math.round(percentile(episode.answeredAfterMs, 0.5))} ms, all after ${Math.round(slowest)} ms; ` +
        `${episode.clientErrors} errors at clients; ${workload.acknowledgedWrites} writes acknowledged, ${workload.reads} reads so far`,
    );
  };
  await delay(warmUpMs);
  for (const blow of blows) {
    const nextMs = performance.now() + everyMs;
    await over(await run[blow](surroundings, await chooseOwner(surroundings, random)));
    await delay(Math.max(0, nextMs - performance.now()));
  }
  if (storeOutageMs > 0) await over(await storeOutage(surroundings, storeOutageMs));
  return episodes;
}

/** A node that owns at least half of an even share of the databases. */
async function chooseOwner({ cluster, ledgers }: Surroundings, random: SeededRandom): Promise<DataNode> {
  const first = random.below(cluster.nodes.length);
  for (const node of [...cluster.nodes.slice(first), ...cluster.nodes.slice(0, first)]) {
    const owned = await cluster.ownedBy(node, ledgers);
    if (2 * cluster.nodes.length * owned.length >= ledgers.length) return node;
  }
  throw new Error('no node owns a fair share of the databases');
}

async function createLedgers(
  cluster: Cluster,
  count: number,
  report: (failure: LedgerFailure) => void,
): Promise<Ledger[]> {
  const ledgers: Ledger[] = [];
  let next = 0;
  const creators = Array.from({ length: 8 }, async () => {
    for (let index = next++; index < count; index = next++) {
      const database = await cluster.createDatabase(`ledger-${index}`);
      const ledger = new Ledger(database, report);
      const client = openClient(cluster.url(database), database.token);
      await ledger.create(client);
      client.close();
      ledgers.push(ledger);
    }
  });
  await Promise.all(creators);
  return ledgers;
}
