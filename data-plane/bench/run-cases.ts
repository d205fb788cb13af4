import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Budget } from './budget.js';
import { commitWindowMs, type BenchCase, type CaseOutcome } from './cases/bench-case.js';
import { LoadGenerator } from './load/load-generator.js';
import { WorkloadNode } from './subjects/workload-node.js';
import { plainTable, resultTable } from './report/result-table.js';

export interface RunOptions {
  readonly cases: readonly BenchCase[];
  readonly budget: Budget;
  /** Exists; each case gets a directory in it, which is removed when it is done. */
  readonly directory: string;
  readonly progress: (line: string) => void;
  /** Gets each table when its case is done. */
  readonly print: (text: string) => void;
}

/** Runs cases one after the other. Rejects with the first failure, which names its case. */
export async function runCases({ cases, budget, directory, progress, print }: RunOptions): Promise<CaseOutcome> {
  const load = new LoadGenerator();
  const outcomes: CaseOutcome[] = [];
  let started: Promise<WorkloadNode> | undefined;
  const workload = async (): Promise<WorkloadNode> => {
    if (started === undefined) progress('Starting a data node and filling its databases');
    started ??= WorkloadNode.start(join(directory, 'workload'), commitWindowMs, budget.writers);
    return started;
  };
  try {
    for (const bench of cases) {
      const caseDirectory = join(directory, bench.name);
      await mkdir(caseDirectory);
      await chmod(caseDirectory, 0o711);
      try {
        const outcome = await bench.run({ directory: caseDirectory, budget, load, workload, progress });
        // A case whose subject is not there has said so.
        if (outcome.results.length > 0) print(`\n${bench.title}\n\n${plainTable(resultTable(outcome.results))}\n`);
        outcomes.push(outcome);
      } catch (cause) {
        throw new Error(`the case ${bench.name} failed`, { cause });
      } finally {
        await rm(caseDirectory, { recursive: true, force: true });
      }
    }
  } finally {
    load.stop();
    await (await started?.catch(() => undefined))?.stop();
  }
  return { results: outcomes.flatMap(({ results }) => results), targets: outcomes.flatMap(({ targets }) => targets) };
}
