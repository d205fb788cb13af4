import { MemoryBudget } from '../memory-budget.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { FileOperation, FileRequest } from './file-request.js';
import { ReplicaPushes, walFrameBytes, type PushAnswer } from './replica-pushes.js';

type Push = Extract<FileOperation, { kind: 'replica-push' }>;

const generation = 7;
const history = {
  heightOf: async () => 0,
  numberOf: () => generation,
  read: async () => [],
  settled: async () => ({ height: 0, frames: 0 }),
  tip: async () => ({ height: 0, frames: 0, commit: 1 }),
};

let runtime: VirtualRuntime;
let budget: MemoryBudget;
let outcome: () => Promise<string>;
let committed: number;

beforeEach(() => {
  runtime = new VirtualRuntime();
  budget = new MemoryBudget(10 * walFrameBytes, 'pushes');
  outcome = async () => 'committed';
  committed = 0;
});

function database(): ReplicaPushes {
  return new ReplicaPushes(runtime, budget, history, async (_after, frames) => {
    const result = await outcome();
    if (result === 'committed') committed += frames.length;
    return result;
  });
}

/** Pushes frames from number `start` on; those at the places `ends` end a transaction. */
async function push(to: ReplicaPushes, start: number, count: number, ends: number[], baton?: string) {
  const body = Buffer.alloc(count * walFrameBytes);
  for (const end of ends) body.writeUInt32BE(1, end * walFrameBytes + 4);
  const operation: Push = { kind: 'replica-push', generation, start, end: start + count, ...(baton && { baton }) };
  return to.take(operation, { operation, body } as Partial<FileRequest> as FileRequest);
}

const taken = (): number => budget.takenBytes / walFrameBytes;
const batonOf = ({ baton }: PushAnswer): string => baton ?? 'none';
const overloaded = { code: 'OVERLOADED' };

describe('beginnings of pushed transactions', () => {
  it('of all databases share one budget, and what finds none of it left may be sent again', async () => {
    const [one, other] = [database(), database()];
    const begun = await push(one, 1, 6, []);
    const begunThere = await push(other, 1, 3, []);
    expect(taken()).toBe(9);
    await expect(push(other, 4, 2, [], batonOf(begunThere))).rejects.toMatchObject(overloaded);
    await expect(push(other, 4, 4, [1], batonOf(begunThere))).rejects.toMatchObject(overloaded);
    expect([taken(), committed]).toEqual([9, 0]);
    // What ends a transaction needs none of it.
    expect(await push(one, 7, 1, [0], batonOf(begun))).toEqual({ status: 'ok', generation, max_frame_no: 7 });
    expect([taken(), committed]).toEqual([3, 7]);
    const next = await push(other, 4, 4, [1], batonOf(begunThere));
    expect([taken(), committed]).toEqual([2, 12]);
    await push(other, 8, 1, [0], batonOf(next));
    expect([taken(), committed]).toEqual([0, 15]);
  });

  it('give it back when they are dropped, forgotten or not taken', async () => {
    const pushes = database();
    await push(pushes, 1, 4, []);
    await runtime.advance(30_000);
    expect(taken()).toBe(0);
    const begun = await push(pushes, 1, 4, []);
    await expect(push(pushes, 9, 1, [], batonOf(begun))).rejects.toMatchObject({ code: 'REPLICA_PUSH_BROKEN' });
    expect(taken()).toBe(0);
    for (const answer of ['conflict', 'failed']) {
      const before = await push(pushes, 1, 4, []);
      outcome = async () => (answer === 'failed' ? Promise.reject(new Error('failed')) : answer);
      const last = push(pushes, 5, 3, [0], batonOf(before));
      if (answer === 'failed') await expect(last).rejects.toThrow('failed');
      else expect(await last).toMatchObject({ status: 'conflict' });
      expect(taken()).toBe(0);
    }
    // The fifth takes the place of the oldest.
    for (let count = 0; count < 5; count++) await push(pushes, 1, 2, []);
    expect(taken()).toBe(8);
    pushes.forget();
    expect(taken()).toBe(0);
    expect(runtime.timers).toBe(0);
  });
});
