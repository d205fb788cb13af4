import type { Budget } from '../budget.js';
import type { LoadGenerator } from '../load/load-generator.js';
import type { Result, Target } from '../report/report.js';
import type { WorkloadNode } from '../subjects/workload-node.js';

export interface CaseContext {
  /** An empty directory for this case alone. */
  readonly directory: string;
  readonly budget: Budget;
  readonly load: LoadGenerator;
  /** A data node with filled databases that the cases share; started when it is first asked for. */
  readonly workload: () => Promise<WorkloadNode>;
  /** Tells the person at the terminal what is going on. */
  readonly progress: (line: string) => void;
}

export interface CaseOutcome {
  readonly results: readonly Result[];
  readonly targets: readonly Target[];
}

/** One thing that is measured. */
export interface BenchCase {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  /** For the reader of the figures: what was done, and what is beside what. */
  readonly explanation: string;
  run(context: CaseContext): Promise<CaseOutcome>;
}

/** The commit window of every data node that is measured: the product's default. */
export const commitWindowMs = 10;
