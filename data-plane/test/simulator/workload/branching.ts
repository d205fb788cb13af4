/** Somebody who makes branches of the databases that others write to: of what they are, and of what they were. */
import type { DatabaseHistory } from '../check/database-history.js';
import type { Client } from './client.js';
import type { Population } from './population.js';

export interface BranchingOptions {
  readonly population: Population;
  readonly client: Client;
  /** For how long databases can go back in time. */
  readonly historyMs: number;
  /** What the clock that is farthest ahead shows. */
  readonly latestClockMs: () => number;
  readonly isOver: () => boolean;
}

const mostBranches = 6;
/** Clocks that were stepped back, or died, may have been farther ahead. */
const clockDoubtMs = 10_000;

/** A branch every few seconds, until it is over. */
export async function makeBranches({
  population,
  client,
  historyMs,
  latestClockMs,
  isOver,
}: BranchingOptions): Promise<void> {
  for (let number = 0; number < mostBranches && !isOver(); number++) {
    await client.sleep(client.random.between(300, 4_000));
    const { live } = population;
    if (live.length === 0 || isOver()) continue;
    const of = client.random.pick(live);
    const name = `branch${number}`;
    if (client.random.chance(50)) {
      await population.branch(client, of, name);
      continue;
    }
    const timeMs = someMoment(client, of);
    const isKept = (): boolean => timeMs >= of.beganBeforeMs && timeMs > latestClockMs() - historyMs + clockDoubtMs;
    await population.branch(client, of, name, { timeMs, isKept });
  }
}

/** Often the very time of a commit, or a millisecond before: where a mistake by one shows. */
function someMoment(client: Client, { times }: DatabaseHistory): number {
  const { all } = times;
  if (all.length > 0 && client.random.chance(70)) return client.random.pick(all) - client.random.below(2);
  return client.machine.nowMs() - client.random.below(8_000);
}
