import { ByocError } from '../errors/catalogue.js';
import { seededRandom, testSeeds } from '../../test/seeded-random.js';
import { heldLease } from '../../test/support/leases.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { DurabilityGate } from './durability-gate.js';

const timeoutMs = 100;
const unknown = expect.objectContaining({ code: 'OUTCOME_UNKNOWN' });

/** Notes in `log` when and how each wait ends. */
function waiting(gate: DurabilityGate, log: string[]): (commit: number) => void {
  return (commit) => {
    gate.wait(commit).then(
      () => log.push(`${commit} left at ${gate.durable}`),
      (error: unknown) => log.push(`${commit} ${error instanceof ByocError ? error.code : String(error)}`),
    );
  };
}

describe('durability gate', () => {
  it('lets pass at once what is durable, without a timer', async () => {
    const runtime = new VirtualRuntime();
    const gate = new DurabilityGate(runtime, heldLease, 5, timeoutMs);
    await gate.wait(5);
    await gate.wait(0);
    expect(runtime.timers).toBe(0);
  });

  it('lets out each answer when its commit is durable and no earlier', async () => {
    const runtime = new VirtualRuntime();
    const gate = new DurabilityGate(runtime, heldLease, 0, timeoutMs);
    const log: string[] = [];
    [1, 2, 2, 3].forEach(waiting(gate, log));
    await runtime.advance(10);
    expect(log).toEqual([]);
    gate.advance(1);
    await runtime.advance(10);
    expect(log).toEqual(['1 left at 1']);
    gate.advance(3);
    await runtime.advance(0);
    expect(log.slice(1)).toEqual(['2 left at 3', '2 left at 3', '3 left at 3']);
    expect(runtime.timers).toBe(0);
  });

  it('does not hold an answer back behind one that came first and needs more', async () => {
    const runtime = new VirtualRuntime();
    const gate = new DurabilityGate(runtime, heldLease, 0, timeoutMs);
    const log: string[] = [];
    [9, 2].forEach(waiting(gate, log));
    gate.advance(2);
    await runtime.advance(0);
    expect(log).toEqual(['2 left at 2']);
  });

  it('never takes back what was durable', async () => {
    const gate = new DurabilityGate(new VirtualRuntime(), heldLease, 4, timeoutMs);
    gate.advance(2);
    expect(gate.durable).toBe(4);
    await gate.wait(4);
  });

  it('gives up on what takes too long, and works on afterwards', async () => {
    const runtime = new VirtualRuntime();
    const gate = new DurabilityGate(runtime, heldLease, 0, timeoutMs);
    const log: string[] = [];
    waiting(gate, log)(1);
    await runtime.advance(60);
    waiting(gate, log)(2);
    await runtime.advance(39);
    expect(log).toEqual([]);
    await runtime.advance(1);
    expect(log).toEqual(['1 OUTCOME_UNKNOWN']);
    gate.advance(2);
    await runtime.advance(0);
    expect(log).toEqual(['1 OUTCOME_UNKNOWN', '2 left at 2']);
    expect(runtime.timers).toBe(0);
    const late = gate.wait(3);
    const settled = expect(late).rejects.toEqual(unknown);
    await runtime.advance(timeoutMs);
    await settled;
  });

  it('lets nothing through after a failure, not even what is durable', async () => {
    const runtime = new VirtualRuntime();
    const gate = new DurabilityGate(runtime, heldLease, 3, timeoutMs);
    const moved = new ByocError('DATABASE_MOVED', 'moved');
    const waiter = expect(gate.wait(4)).rejects.toBe(moved);
    gate.fail(moved);
    await waiter;
    gate.advance(9);
    await expect(gate.wait(1)).rejects.toBe(moved);
    expect(runtime.timers).toBe(0);
  });

  it.each(testSeeds(50))('never lets an answer out early, whatever happens (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const runtime = new VirtualRuntime(seed);
    const gate = new DurabilityGate(runtime, heldLease, 0, timeoutMs);
    let durable = 0;
    let open = 0;
    for (let step = 0; step < 200; step++) {
      const kind = random.below(3);
      if (kind === 0) {
        const commit = durable + random.below(6);
        open += 1;
        gate.wait(commit).then(
          () => {
            expect(durable).toBeGreaterThanOrEqual(commit);
            open -= 1;
          },
          (error: unknown) => {
            expect(error).toEqual(unknown);
            expect(durable).toBeLessThan(commit);
            open -= 1;
          },
        );
      } else if (kind === 1) {
        durable += random.below(3);
        gate.advance(durable);
      } else {
        await runtime.advance(random.below(80));
      }
    }
    await runtime.advance(timeoutMs);
    expect(open).toBe(0);
    expect(runtime.timers).toBe(0);
  });

  it('lets nothing leave while the lease does not hold, and everything when it does again', async () => {
    const runtime = new VirtualRuntime();
    let holds = false;
    const waiters: (() => void)[] = [];
    const held = async () => new Promise<boolean>((resolve) => waiters.push(() => resolve(true)));
    const gate = new DurabilityGate(runtime, { holds: () => holds, held }, 5, timeoutMs);
    const log: string[] = [];
    waiting(gate, log)(5);
    waiting(gate, log)(6);
    gate.advance(6);
    await runtime.advance(timeoutMs - 10);
    expect(log).toEqual([]);
    holds = true;
    for (const resolve of waiters) resolve();
    await runtime.advance(0);
    expect(log).toEqual(['5 left at 6', '6 left at 6']);
  });

  it('answers that the outcome is unknown when the lease does not come back or is lost', async () => {
    const runtime = new VirtualRuntime();
    const log: string[] = [];
    const away = { holds: () => false, held: async (ms: number) => runtime.sleep(ms).then(() => false) };
    waiting(new DurabilityGate(runtime, away, 5, timeoutMs), log)(5);
    const lost = { holds: () => false, held: async () => Promise.reject(new Error('condemned')) };
    waiting(new DurabilityGate(runtime, lost, 5, timeoutMs), log)(4);
    await runtime.advance(timeoutMs + 1);
    expect(log).toEqual(['4 OUTCOME_UNKNOWN', '5 OUTCOME_UNKNOWN']);
  });
});
