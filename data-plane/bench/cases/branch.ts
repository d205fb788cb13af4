/** Branches of a large database, which should take the same time as of a small one. */
import { join } from 'node:path';
import { latencyFigures, target } from '../report/figures.js';
import type { Result, Target } from '../report/report.js';
import { DataNode } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { createFilled, fill } from '../subjects/filled-database.js';
import { commitWindowMs, type BenchCase } from './bench-case.js';

const mebibyte = 2 ** 20;
const idleCloseMs = 1_000;
const targetMs = 500;

export const branchCase: BenchCase = {
  name: 'branch',
  title: 'Branches',
  explanation:
    'The admin call that makes a branch, to its answer: of a database that is open with little and with much that is not ' +
    'folded yet, of the same as it was before that was written, and when nobody has it open. What is not folded is copied, ' +
    'so that the time depends on it, up to the size that makes a fold due, and not on the size of the database.',
  run: async ({ budget, directory, progress }) => {
    const deployment = await Deployment.create(join(directory, 'deployment'));
    const node = await DataNode.start(deployment, {
      TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
      TURSO_BYOC_IDLE_CLOSE_MS: String(idleCloseMs),
    });
    const results: Result[] = [];
    const targets: Target[] = [];
    let made = 0;
    try {
      for (const bytes of [mebibyte, budget.branchBytes]) {
        const size = `${Math.round(bytes / mebibyte)} MB`;
        progress(`Branches: filling a database of ${size}`);
        const database = await createFilled(node, `parent${size.replace(' MB', '')}`, bytes);
        const measure = async (state: string, timeMs?: number): Promise<void> => {
          const latenciesMs: number[] = [];
          for (let at = 0; at < budget.branches; at++) {
            const startMs = performance.now();
            await node.branchDatabase(`branch${made++}`, database, timeMs);
            latenciesMs.push(performance.now() - startMs);
          }
          const figures = latencyFigures('branch', latenciesMs);
          results.push({ case: branchCase.name, parameters: { size, state }, figures });
          const [p50] = figures;
          if (p50) targets.push(target(`branch of ${size}, ${state}`, 'ms', p50.value, 'at most', targetMs));
        };
        progress(`Branches: of ${size}`);
        // Closed only when it is folded as far as is due; then opened again.
        await node.allClosed();
        await node.execute(database, 'SELECT count(*) FROM blobs WHERE id < 2');
        await measure('open');
        const beforeMs = Date.now();
        // Just less than what makes a fold due: an eighth of the database, at least 1 MiB and at most 64.
        await fill(node, database, 0.8 * Math.max(mebibyte, Math.min(64 * mebibyte, bytes / 8)));
        await measure('open, much unfolded');
        await measure('at an earlier time', beforeMs);
        await node.allClosed();
        await measure('closed');
      }
    } finally {
      await node.stop();
    }
    return { results, targets };
  },
};
