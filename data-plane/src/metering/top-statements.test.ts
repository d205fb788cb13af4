import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { DatabaseId } from '../identity.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import { TopStatements } from './top-statements.js';

const hourMs = 3_600_000;
const id = (number: number): DatabaseId => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}` as DatabaseId;
const costs = (shape: string, rowsRead: number, rowsWritten = 0, count = 1): ShapedCosts => ({
  shape,
  count,
  rowsRead,
  rowsWritten,
});

describe('the statements that cost most', () => {
  it('are told in the order of rows, then of their number, added up over hours, for a time that was asked for', async () => {
    const runtime = new VirtualRuntime();
    const top = new TopStatements(runtime);
    const beganMs = runtime.nowMs();
    top.add(id(1), [costs('a', 5), costs('b', 2, 4), costs('c', 0, 0, 3), costs('d', 0, 0, 9)]);
    top.add(id(2), [costs('a', 100)]);
    await runtime.advance(2 * hourMs);
    top.add(id(1), [costs('a', 5)]);
    expect(top.top(id(1), beganMs)).toEqual([
      costs('a', 10, 0, 2),
      costs('b', 2, 4),
      costs('d', 0, 0, 9),
      costs('c', 0, 0, 3),
    ]);
    expect(top.top(id(1), runtime.nowMs())).toEqual([costs('a', 5)]);
    await runtime.advance(25 * hourMs);
    expect(top.top(id(1), 0)).toEqual([]);
    top.add(id(1), [costs('e', 1)]);
    expect(top.top(id(1), 0)).toEqual([costs('e', 1)]);
    top.forget(id(1));
    expect([top.top(id(1), 0), top.top(id(3), 0)]).toEqual([[], []]);
  });

  it('are found among any number of others, and never told to cost more than they did', () => {
    const top = new TopStatements(new VirtualRuntime());
    for (let round = 0; round < 5_000; round++) {
      top.add(id(1), [costs(`once ${round}`, 1), ...(round % 10 === 0 ? [costs('often', 1)] : [])]);
      if (round === 2_500) top.add(id(1), [costs('dear', 9_000)]);
    }
    const told = top.top(id(1), 0);
    expect(told).toHaveLength(20);
    expect(told[0]).toEqual(costs('dear', 9_000));
    expect(told[1]).toEqual(costs('often', 500, 0, 500));
  });

  it('are forgotten of the databases that were used longest ago when there are too many of all', () => {
    const top = new TopStatements(new VirtualRuntime(), 10);
    for (let database = 1; database <= 10; database++) top.add(id(database), [costs('a', 1)]);
    top.add(id(1), [costs('b', 1), costs('c', 1)]);
    const known = Array.from({ length: 10 }, (_, index) => top.top(id(index + 1), 0).length);
    expect(known).toEqual([3, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
  });
});
