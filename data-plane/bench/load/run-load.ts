import { ClosedLoop } from './closed-loop.js';
import type { LoadPlan, LoadResult } from './load-plan.js';

export interface LoadEvents {
  /** The warm-up is over. */
  readonly onMeasuring: () => void;
  /** What ends from now on is not counted. */
  readonly onMeasured: () => void;
}

/** Carries out a plan in this process. Rejects when a connection cannot be made or breaks. */
export async function runLoad(plan: LoadPlan, events: LoadEvents): Promise<LoadResult> {
  const { requests, extent } = plan;
  const warmupMs = extent.kind === 'time' ? extent.warmupMs : 0;
  const measureMs = extent.kind === 'time' ? extent.measureMs : Infinity;
  const latencies = new Latencies();
  let failed = 0;
  let firstFailure: string | undefined;
  let startMs = Infinity;
  let endMs = Infinity;
  let stopped = false;

  const onAnswer = (sentAtMs: number, answeredAtMs: number, failure: string | undefined): void => {
    if (failure !== undefined) {
      failed += 1;
      firstFailure ??= failure;
    } else if (answeredAtMs >= startMs && answeredAtMs <= endMs) latencies.add(answeredAtMs - sentAtMs);
  };
  let shared = 0;
  const nextOf = (connection: number): (() => Uint8Array | undefined) => {
    if (extent.kind === 'once') return () => (stopped ? undefined : requests[shared++]);
    let at = Math.floor((connection * requests.length) / plan.connections);
    return () => {
      if (stopped || performance.now() >= endMs) return undefined;
      const request = requests[at];
      at = (at + 1) % requests.length;
      return request;
    };
  };
  const loops = Array.from({ length: plan.connections }, (_, at) => new ClosedLoop(nextOf(at), onAnswer));
  await Promise.all(loops.map(async (loop) => loop.connect(plan.host, plan.port)));

  let cpuAtStart = process.cpuUsage();
  let generatorCpuMs: number | undefined;
  const begin = (): void => {
    startMs = performance.now();
    endMs = startMs + measureMs;
    cpuAtStart = process.cpuUsage();
    events.onMeasuring();
  };
  const finish = (): number => {
    const { user, system } = process.cpuUsage(cpuAtStart);
    events.onMeasured();
    return (user + system) / 1000;
  };
  const timers: NodeJS.Timeout[] = [];
  if (extent.kind === 'once') begin();
  else
    timers.push(
      setTimeout(begin, warmupMs),
      setTimeout(() => (generatorCpuMs = finish()), warmupMs + measureMs),
    );
  try {
    await Promise.all(loops.map(async (loop) => loop.run()));
  } finally {
    stopped = true;
    for (const timer of timers) clearTimeout(timer);
  }
  // The timer that ends a timed run may come after the last answer; the moment is the same within a millisecond.
  generatorCpuMs ??= finish();
  const elapsedMs = extent.kind === 'time' ? measureMs : performance.now() - startMs;
  const latenciesMs = latencies.values();
  return {
    completed: latenciesMs.length,
    failed,
    ...(firstFailure !== undefined && { firstFailure }),
    elapsedMs,
    latenciesMs,
    generatorCpuMs,
  };
}

/** A growing list of numbers without an object for each of them. */
class Latencies {
  #values = new Float64Array(65_536);
  #length = 0;

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  values(): Float64Array {
    return this.#values.slice(0, this.#length);
  }
}
