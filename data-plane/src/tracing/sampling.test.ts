import { mostAskedForPerSecond, Sampling } from './sampling.js';

const kept = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };

function sampling(share: number): { sampling: Sampling; clock: { ms: number; fraction: number } } {
  const clock = { ms: 0, fraction: 0.5 };
  const runtime = { monotonicMs: () => clock.ms, randomFraction: () => clock.fraction };
  return { sampling: new Sampling(runtime, share), clock };
}

describe('Sampling', () => {
  it('takes a share of the requests that say nothing', () => {
    const { sampling: some, clock } = sampling(0.1);
    clock.fraction = 0.0999;
    expect(some.takes(undefined, false)).toBe(true);
    clock.fraction = 0.1;
    expect(some.takes(undefined, false)).toBe(false);
  });

  it('takes none of a share of zero, all of one', () => {
    const { sampling: none, clock } = sampling(0);
    clock.fraction = 0;
    expect(none.takes(undefined, false)).toBe(false);
    expect(sampling(1).sampling.takes(undefined, false)).toBe(true);
  });

  it('leaves the decision on what was passed on to the node that passed it on', () => {
    const { sampling: all } = sampling(1);
    expect(all.takes(undefined, true)).toBe(false);
    expect(all.takes(kept, true)).toBe(true);
    expect(all.takes({ ...kept, isSampled: false }, false)).toBe(false);
  });

  it('takes what senders keep, so many a second and no more', () => {
    const { sampling: some, clock } = sampling(0);
    const taken = (): number => Array.from({ length: 1_000 }, () => some.takes(kept, false)).filter(Boolean).length;
    expect(taken()).toBe(mostAskedForPerSecond);
    clock.ms = 999;
    expect(taken()).toBe(0);
    clock.ms = 1_000;
    expect(taken()).toBe(mostAskedForPerSecond);
  });
});
