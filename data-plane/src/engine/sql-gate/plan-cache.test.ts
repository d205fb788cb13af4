import { PlanCache } from './plan-cache.js';
import type { StatementPlan } from './statement-plan.js';

const plan = (sql: string, parameters: (string | null)[] = []): StatementPlan => ({
  sql,
  isReadOnly: true,
  isExplain: false,
  parameters,
  transactionControl: null,
  changesSchema: false,
  changesSession: false,
});

describe('the plan cache', () => {
  it('drops the least recently used plan when it is full', () => {
    const cache = new PlanCache(1000);
    for (const sql of ['a', 'b', 'c']) cache.set(sql, plan(sql));
    expect(cache.get('a')).toBeDefined();
    cache.set('d', plan('d'));
    expect(['a', 'b', 'c', 'd'].filter((sql) => cache.get(sql) !== undefined)).toEqual(['a', 'c', 'd']);
  });

  it('never holds more bytes than it may', () => {
    const cache = new PlanCache(10_000);
    for (let index = 0; index < 500; index += 1) {
      const sql = 'x'.repeat(index);
      cache.set(sql, plan(sql, [':name', null]));
      expect(cache.bytes).toBeLessThanOrEqual(10_000);
    }
    cache.clear();
    expect(cache.bytes).toBe(0);
    expect(cache.get('x')).toBeUndefined();
  });

  it('does not keep a plan with very many parameters', () => {
    const cache = new PlanCache(64 * 1024);
    cache.set('a', plan('a', new Array<null>(32_766).fill(null)));
    expect(cache.get('a')).toBeUndefined();
  });

  it('counts a plan that is set twice once', () => {
    const cache = new PlanCache(1000);
    cache.set('a', plan('a'));
    const once = cache.bytes;
    cache.set('a', plan('a'));
    expect(cache.bytes).toBe(once);
  });
});
