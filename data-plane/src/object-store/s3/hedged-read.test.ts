import { ManualRuntime, settle } from '../../../test/support/manual-runtime.js';
import { HedgedReads, type Leg } from './hedged-read.js';

const options = { share: 0.05, minDelayMs: 10, maxDelayMs: 1_000 };

/** Legs that a test answers by hand. */
class Legs {
  readonly all: { answered: () => void; resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  readonly aborted: number[] = [];

  start = (answered: () => void): Leg<string> => {
    const number = this.all.length;
    let resolve!: (value: string) => void;
    let reject!: (error: Error) => void;
    const result = new Promise<string>((res, rej) => {
      resolve = res;
      reject = rej;
    });
    this.all.push({ answered, resolve, reject });
    return { result, abort: () => this.aborted.push(number) };
  };
}

describe('a hedged read', () => {
  let runtime: ManualRuntime;
  let legs: Legs;
  beforeEach(() => {
    runtime = new ManualRuntime();
    legs = new Legs();
  });

  it('is sent once when its answer comes in time', async () => {
    const result = new HedgedReads(runtime, options).run(legs.start);
    await runtime.advance(50);
    legs.all[0]?.answered();
    await runtime.advance(1_000);
    legs.all[0]?.resolve('slow body, one request');
    expect(await result).toBe('slow body, one request');
    expect(legs.all).toHaveLength(1);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('is sent again when it is late; whoever answers first wins and the other is aborted', async () => {
    const result = new HedgedReads(runtime, options).run(legs.start);
    await runtime.advance(100);
    expect(legs.all).toHaveLength(2);
    legs.all[1]?.answered();
    expect(legs.aborted).toEqual([0]);
    legs.all[0]?.reject(new Error('aborted'));
    legs.all[1]?.resolve('second');
    expect(await result).toBe('second');
  });

  it('fails with the leg that had answered', async () => {
    const result = new HedgedReads(runtime, options).run(legs.start);
    await runtime.advance(100);
    legs.all[0]?.answered();
    legs.all[0]?.reject(new Error('the body ended early'));
    await expect(result).rejects.toThrow('the body ended early');
  });

  it('waits for the other leg when one fails before it answers, and fails when both do', async () => {
    const reads = new HedgedReads(runtime, { ...options, share: 1 });
    const good = reads.run(legs.start);
    await runtime.advance(150);
    legs.all[0]?.reject(new Error('refused'));
    await settle();
    legs.all[1]?.resolve('second');
    expect(await good).toBe('second');
    const bad = reads.run(legs.start);
    await runtime.advance(150);
    for (const leg of legs.all.slice(2)) leg.reject(new Error('refused'));
    await expect(bad).rejects.toThrow('refused');
    expect(legs.all).toHaveLength(4);
  });

  it('fails at once when its only request does, without another', async () => {
    const result = new HedgedReads(runtime, options).run(legs.start);
    legs.all[0]?.reject(new Error('refused'));
    await expect(result).rejects.toThrow('refused');
    await runtime.advance(1_000);
    expect(legs.all).toHaveLength(1);
  });

  it('adds no more than its share of requests when every answer is late', async () => {
    const reads = new HedgedReads(runtime, options);
    for (let read = 0; read < 200; read++) {
      const result = reads.run(legs.start);
      await runtime.advance(1_000);
      legs.all.at(-1)?.resolve('late');
      await result;
    }
    expect(legs.all.length - 200).toBeGreaterThan(5);
    expect(legs.all.length - 200).toBeLessThanOrEqual(200 * options.share + 1);
  });

  it('waits for about as long as 19 of 20 answers take', async () => {
    const reads = new HedgedReads(runtime, { ...options, share: 0.2 });
    let random = 1;
    for (let read = 0; read < 3_000; read++) {
      random = (random * 48_271) % 2_147_483_647;
      const tookMs = 20 + 100 * (random / 2_147_483_647);
      let next = legs.all.length;
      const result = reads.run(legs.start);
      await runtime.advance(tookMs);
      for (; next < legs.all.length; next++) legs.all[next]?.resolve('x');
      await result;
    }
    expect(reads.delayMs).toBeGreaterThan(95);
    expect(reads.delayMs).toBeLessThan(150);
  }, 120_000);
});
