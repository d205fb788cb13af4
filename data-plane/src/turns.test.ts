import { VirtualRuntime } from '../test/virtual-runtime.js';
import { atOnce, stepBytes, TurnQueue, Turns, type Work } from './turns.js';

function* steps(count: number, bytes: number, done: (step: number) => void): Work<string> {
  for (let step = 1; step <= count; step++) {
    done(step);
    yield bytes;
  }
  return 'result';
}

describe('turns', () => {
  it('does small work without waiting for a turn', async () => {
    const runtime = new VirtualRuntime();
    const turns = new Turns(runtime, 'commit');
    const seen: number[] = [];
    const working = turns.run(steps(2, stepBytes, (step) => seen.push(step)));
    expect(seen).toEqual([1, 2]);
    expect(runtime.timers).toBe(0);
    expect(await working).toBe('result');
  });

  it('lets everything else go first after a bounded amount of work, however it is divided', async () => {
    const runtime = new VirtualRuntime();
    const turns = new Turns(runtime, 'background');
    let done = 0;
    const perTurn: number[] = [];
    const beat = (): void => {
      perTurn.push(done - perTurn.reduce((sum, count) => sum + count, 0));
      if (done < 40) runtime.schedule(0, beat);
    };
    const working = (async () => {
      for (let work = 0; work < 20; work++) await turns.run(steps(2, stepBytes, () => (done += 1)));
    })();
    beat();
    await runtime.run(working);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(3);
    expect(perTurn.length).toBeGreaterThan(12);
  });

  it('counts work that was done elsewhere', async () => {
    const runtime = new VirtualRuntime();
    const turns = new Turns(runtime, 'background');
    await turns.spent(stepBytes);
    const waiting = turns.spent(100 * stepBytes);
    expect(runtime.timers).toBe(1);
    await runtime.run(waiting);
  });

  it('passes on what the work throws', async () => {
    function* failing(): Work<void> {
      yield 1;
      throw new Error('broken');
    }
    await expect(new Turns(new VirtualRuntime(), 'commit').run(failing())).rejects.toThrow('broken');
    expect(() => atOnce(failing())).toThrow('broken');
  });
});

describe('a queue of turns', () => {
  it('lets one go on per turn, in order, and the two kinds alternately', async () => {
    const turns: (() => void)[] = [];
    const queue = new TurnQueue((run) => turns.push(run));
    const log: string[] = [];
    for (const name of ['c1', 'c2', 'c3']) void queue.take('commit').then(() => log.push(name));
    for (const name of ['b1', 'b2']) void queue.take('background').then(() => log.push(name));
    const perTurn: number[] = [];
    while (turns.length > 0) {
      turns.shift()?.();
      await Promise.resolve().then(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(log.length);
    }
    expect(perTurn).toEqual([1, 2, 3, 4, 5]);
    expect(log).toEqual(['c1', 'b1', 'c2', 'b2', 'c3']);
  });
});
