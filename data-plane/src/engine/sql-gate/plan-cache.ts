import type { StatementPlan } from './statement-plan.js';

/** What an entry costs beside its texts: the plan object, the map entry and the key. */
const entryOverheadBytes = 256;
const bytesPerParameter = 16;

/** The plans of one database by SQL text, the least recently used dropped first when they exceed a number of bytes. */
export class PlanCache {
  private readonly plans = new Map<string, StatementPlan>();
  private sizeBytes = 0;

  constructor(private readonly maxBytes: number) {}

  get(sql: string): StatementPlan | undefined {
    const plan = this.plans.get(sql);
    if (plan === undefined) return undefined;
    this.plans.delete(sql);
    this.plans.set(sql, plan);
    return plan;
  }

  /** Keeps the plan, unless it alone would take more than half of the cache. */
  set(sql: string, plan: StatementPlan): void {
    const size = planBytes(sql, plan);
    if (size > this.maxBytes / 2) return;
    this.drop(sql);
    for (const oldest of this.plans.keys()) {
      if (this.sizeBytes + size <= this.maxBytes) break;
      this.drop(oldest);
    }
    this.plans.set(sql, plan);
    this.sizeBytes += size;
  }

  clear(): void {
    this.plans.clear();
    this.sizeBytes = 0;
  }

  /** Estimated bytes held. */
  get bytes(): number {
    return this.sizeBytes;
  }

  private drop(sql: string): void {
    const plan = this.plans.get(sql);
    if (plan === undefined) return;
    this.plans.delete(sql);
    this.sizeBytes -= planBytes(sql, plan);
  }
}

function planBytes(sql: string, plan: StatementPlan): number {
  const names = plan.parameters.reduce((sum, name) => sum + bytesPerParameter + 2 * (name?.length ?? 0), 0);
  return entryOverheadBytes + 2 * (sql.length + plan.sql.length) + names;
}
