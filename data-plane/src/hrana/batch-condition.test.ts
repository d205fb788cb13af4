import { conditionHolds, type StepState } from './batch-condition.js';
import type { BatchCondition } from './protocol.js';

const states: StepState[] = ['ok', 'error', 'skipped'];
const holds = (condition: BatchCondition, isAutocommit = true): boolean =>
  conditionHolds(condition, states, () => isAutocommit);

describe('conditionHolds', () => {
  it('takes "error" as the opposite of "ok", also for a skipped step', () => {
    expect([0, 1, 2].map((step) => holds({ type: 'ok', step }))).toEqual([true, false, false]);
    expect([0, 1, 2].map((step) => holds({ type: 'error', step }))).toEqual([false, true, true]);
  });

  it('combines conditions', () => {
    const yes: BatchCondition = { type: 'ok', step: 0 };
    const no: BatchCondition = { type: 'not', condition: yes };
    expect(holds({ type: 'and', conditions: [yes, yes] })).toBe(true);
    expect(holds({ type: 'and', conditions: [yes, no] })).toBe(false);
    expect(holds({ type: 'or', conditions: [no, yes] })).toBe(true);
    expect(holds({ type: 'and', conditions: [] })).toBe(true);
    expect(holds({ type: 'or', conditions: [] })).toBe(false);
  });

  it('asks for the state of the transaction when it is needed', () => {
    expect(holds({ type: 'is_autocommit' }, true)).toBe(true);
    expect(holds({ type: 'is_autocommit' }, false)).toBe(false);
  });
});
