import { LoggedSample } from '../../test/storage/logged-sample.js';
import { databaseA, epochA } from '../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { CommitLog } from './commit-log.js';
import { CommitSpacing } from './commit-spacing.js';
import type { Commit } from './fragment.js';
import type { FragmentLocation } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';

function spacing(windowMs: number, latenciesMs: readonly number[]): number {
  const commitSpacing = new CommitSpacing(windowMs);
  for (const latencyMs of latenciesMs) commitSpacing.observe(latencyMs);
  return commitSpacing.spacingMs;
}

const times = (count: number, latencyMs: number): number[] => Array.from({ length: count }, () => latencyMs);

describe('the spacing of log objects', () => {
  it('is the window until the store is known, and while it is fast', () => {
    expect(spacing(10, times(31, 100))).toBe(10);
    expect(spacing(10, times(64, 6))).toBe(10);
    expect(spacing(10, times(64, 20))).toBe(10);
  });

  it('is half of the median latency of a slow store, and never more than a bound', () => {
    expect(spacing(10, times(64, 28))).toBe(14);
    expect(spacing(10, times(64, 60))).toBe(30);
    expect(spacing(10, times(64, 5_000))).toBe(50);
    expect(spacing(200, times(64, 5_000))).toBe(200);
  });

  it('does not follow single slow objects, and comes back when the store does', () => {
    const mixed = Array.from({ length: 64 }, (_, index) => (index % 4 === 0 ? 2_000 : 12));
    expect(spacing(10, mixed)).toBe(10);
    expect(spacing(10, [...times(64, 80), ...times(40, 8)])).toBe(10);
  });

  it('is not adapted where no window is wanted', () => {
    expect(spacing(0, times(64, 100))).toBe(0);
  });
});

class Timed extends LoggedSample {
  readonly waitsMs: number[] = [];
  readonly #handedAtMs: number[] = [];

  constructor(private readonly clock: VirtualRuntime) {
    super(databaseA, 1, clock);
  }

  override commitTo(log: CommitLog): Commit {
    this.#handedAtMs.push(this.clock.monotonicMs());
    return super.commitTo(log);
  }

  override onDurable(location: FragmentLocation, last: Commit): void {
    super.onDurable(location, last);
    for (let commit = location[3]; commit <= location[4]; commit++) {
      this.waitsMs.push(this.clock.monotonicMs() - (this.#handedAtMs[commit - 1] as number));
    }
  }
}

/** Commits at random times into a store of this latency: objects per second and the median wait once it is known. */
async function run(latencyMs: number, commitsPerSecond: number): Promise<{ objects: number; medianMs: number }> {
  const runtime = new VirtualRuntime();
  let objects = 0;
  const store = {
    create: async () => {
      await runtime.sleep(latencyMs);
      return 'won';
    },
  } as Partial<LogStore> as LogStore;
  const log = new CommitLog({
    runtime,
    store,
    epoch: epochA,
    windowMs: 10,
    maxObjectBytes: 1 << 22,
    maxInFlight: 4,
    onFenced: () => undefined,
    onStored: () => (objects += 1),
  });
  const database = new Timed(runtime);
  const commit = async (count: number): Promise<void> => {
    for (; count > 0; count--) {
      database.commitTo(log);
      await runtime.advance((-Math.log(1 - runtime.randomFraction()) * 1_000) / commitsPerSecond);
    }
  };
  await commit(commitsPerSecond * 5);
  const [before, startedMs] = [objects, runtime.monotonicMs()];
  database.waitsMs.length = 0;
  await commit(commitsPerSecond * 5);
  const seconds = (runtime.monotonicMs() - startedMs) / 1_000;
  const sorted = database.waitsMs.sort((a, b) => a - b);
  return { objects: (objects - before) / seconds, medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}

describe('a log over a slow store', () => {
  it.each([
    // latency of the store, commits a second, most objects a second, most median wait
    [6, 150, 95, 12],
    [28, 150, 75, 36],
    [60, 150, 40, 78],
    [28, 1_000, 75, 37],
  ])('at %i ms and %i commits/s writes few objects and waits little more', async (latency, rate, most, wait) => {
    const { objects, medianMs } = await run(latency, rate);
    expect(objects).toBeLessThan(most);
    expect(medianMs).toBeLessThan(wait);
    expect(medianMs).toBeGreaterThanOrEqual(latency);
  });

  it('writes the first commit after a quiet time at once', async () => {
    const runtime = new VirtualRuntime();
    const startedAtMs: number[] = [];
    const store = {
      create: async () => {
        startedAtMs.push(runtime.monotonicMs());
        await runtime.sleep(100);
        return 'won';
      },
    } as Partial<LogStore> as LogStore;
    const log = new CommitLog({
      runtime,
      store,
      epoch: epochA,
      windowMs: 10,
      maxObjectBytes: 1 << 22,
      maxInFlight: 4,
      onFenced: () => undefined,
    });
    const database = new LoggedSample(databaseA, 1, runtime);
    for (let at = 0; at < 50; at++) {
      database.commitTo(log);
      await runtime.advance(200);
    }
    expect(startedAtMs).toEqual(Array.from({ length: 50 }, (_, at) => at * 200));
    startedAtMs.length = 0;
    for (let again = 0; again < 2; again++) {
      database.commitTo(log);
      await runtime.advance(1);
    }
    await runtime.advance(200);
    expect((startedAtMs[1] ?? 0) - (startedAtMs[0] ?? 0)).toBe(50);
  });
});
