import type { BatchCondition } from './protocol.js';

export type StepState = 'ok' | 'error' | 'skipped';

/**
 * Whether a step of a batch is to run. `states` holds the steps before it. As on Turso Cloud, "error" is the opposite
 * of "ok" and therefore holds for a skipped step, too; the Hrana specification and older servers differ there.
 */
export function conditionHolds(
  condition: BatchCondition,
  states: readonly StepState[],
  isAutocommit: () => boolean,
): boolean {
  switch (condition.type) {
    case 'ok':
      return states[condition.step] === 'ok';
    case 'error':
      return states[condition.step] !== 'ok';
    case 'not':
      return !conditionHolds(condition.condition, states, isAutocommit);
    case 'and':
      return condition.conditions.every((part) => conditionHolds(part, states, isAutocommit));
    case 'or':
      return condition.conditions.some((part) => conditionHolds(part, states, isAutocommit));
    case 'is_autocommit':
      return isAutocommit();
  }
}
