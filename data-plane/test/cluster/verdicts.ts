import type { ClusterRunResult } from './cluster-run.js';
import { percentile } from './statistics.js';

/** One sentence about a run, with the figure and what it may be. */
export interface Verdict {
  readonly what: string;
  readonly measured: number;
  /** The most it may be. */
  readonly bound: number;
  readonly met: boolean;
}

/** How soon databases of a dead node answer, with a lease of two seconds. */
const answerBoundsMs = { p50: 3_000, p99: 5_000 };
const returnBoundMs = 2_000;
/** The code with which a node ends that finds that its epoch was ended by another one. */
const fencedExitCode = 70;

export function verdicts(result: ClusterRunResult): Verdict[] {
  const { violations, episodes } = result;
  const all: Verdict[] = [];
  const atMost = (bound: number, what: string, measured: number): void => {
    all.push({ what, measured, bound, met: measured <= bound });
  };
  const count = (...kinds: string[]): number => violations.filter(({ kind }) => kinds.includes(kind)).length;
  atMost(0, 'acknowledged transactions lost', count('lost'));
  atMost(0, 'stale reads', count('stale'));
  atMost(0, 'torn reads', count('torn'));
  atMost(0, 'other violations', count('refused but there', 'never sent', 'damaged'));
  atMost(0, 'databases that did not answer at the end', result.unanswered.length);
  atMost(0, 'nodes that ended unasked', result.unexpectedEnds.length);

  const of = (kind: string) => episodes.filter((episode) => episode.kind === kind);
  const times = (kind: string): number[] => of(kind).flatMap(({ answeredAfterMs }) => answeredAfterMs);
  for (const kind of ['SIGKILL', 'SIGSTOP']) {
    if (of(kind).length === 0) continue;
    atMost(answerBoundsMs.p50, `${kind}: ms until a database answers, p50`, percentile(times(kind), 0.5));
    atMost(answerBoundsMs.p99, `${kind}: ms until a database answers, p99`, percentile(times(kind), 0.99));
  }
  if (of('SIGTERM').length > 0) {
    const unclean = of('SIGTERM').filter(({ end }) => end?.exitCode !== 0).length;
    atMost(0, 'SIGTERM: nodes that did not end cleanly', unclean);
    if (of('SIGTERM').length === episodes.length) atMost(0, 'SIGTERM: errors at clients', result.errorCount);
  }
  if (of('SIGSTOP').length > 0) {
    const acknowledged = of('SIGSTOP').reduce((sum, { late }) => sum + (late?.acknowledged ?? 0), 0);
    atMost(0, 'SIGSTOP: late writes acknowledged by the node that stood still', acknowledged);
    const unfenced = of('SIGSTOP').filter(({ end }) => end?.exitCode !== fencedExitCode).length;
    atMost(0, 'SIGSTOP: nodes that went on', unfenced);
  }
  for (const { outage, answeredAfterMs } of of('store outage')) {
    atMost(0, 'store outage: writes acknowledged meanwhile', outage?.acknowledged ?? 0);
    atMost(0, 'store outage: reads answered after the lease', outage?.reads ?? 0);
    atMost(
      returnBoundMs,
      'store outage: ms until every database asked takes a write again',
      Math.max(...answeredAfterMs),
    );
  }
  return all;
}
