import { Reachability } from './reachability.js';

function underTest() {
  let nowMs = 1_000;
  const asked: { answer(): void; stayAway(): void }[] = [];
  const reachability = new Reachability({
    runtime: { monotonicMs: () => nowMs },
    ask: async () =>
      new Promise((resolve, reject) => asked.push({ answer: resolve, stayAway: () => reject(new Error('silence')) })),
    freshMs: 100,
    retryMs: 20,
    patienceMs: 50,
  });
  return {
    reachability,
    asked,
    pass: (ms: number) => (nowMs += ms),
    /** The answer of the last request, once it was taken in. */
    settle: async (how: 'answer' | 'stayAway') => {
      asked.at(-1)![how]();
      await new Promise(setImmediate);
    },
  };
}

describe('Reachability', () => {
  it('asks nobody as long as nobody wants to know', () => {
    const { asked, pass } = underTest();
    pass(1_000_000);
    expect(asked).toHaveLength(0);
  });

  it('takes real requests for evidence and asks when there was none lately, once at a time', async () => {
    const { reachability, asked, pass, settle } = underTest();
    pass(99);
    expect([reachability.isReached(), asked.length]).toEqual([true, 0]);
    reachability.note(true);
    pass(99);
    expect([reachability.isReached(), asked.length]).toEqual([true, 0]);
    pass(1);
    expect([reachability.isReached(), reachability.isReached(), asked.length]).toEqual([true, true, 1]);
    await settle('answer');
    pass(99);
    expect([reachability.isReached(), asked.length]).toEqual([true, 1]);
  });

  it('is not reached after a request without an answer, until one is answered', async () => {
    const { reachability, asked, pass, settle } = underTest();
    reachability.note(false);
    expect([reachability.isReached(), asked.length]).toEqual([false, 0]);
    pass(20);
    expect([reachability.isReached(), asked.length]).toEqual([false, 1]);
    await settle('stayAway');
    expect([reachability.isReached(), asked.length]).toEqual([false, 1]);
    pass(20);
    expect([reachability.isReached(), asked.length]).toEqual([false, 2]);
    await settle('answer');
    expect(reachability.isReached()).toBe(true);
  });

  it('is not reached while an answer takes too long', async () => {
    const { reachability, pass, settle } = underTest();
    pass(100);
    expect(reachability.isReached()).toBe(true);
    pass(49);
    expect(reachability.isReached()).toBe(true);
    pass(1);
    expect(reachability.isReached()).toBe(false);
    await settle('answer');
    expect(reachability.isReached()).toBe(true);
  });
});
