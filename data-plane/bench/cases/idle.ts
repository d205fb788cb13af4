/** What a database costs that nobody talks to: requests to the store over a window of time. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MetricsDifference } from '../measure/metrics-snapshot.js';
import { singleFigure, target } from '../report/figures.js';
import type { Result } from '../report/report.js';
import { DataNode } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { inParallel } from '../subjects/in-parallel.js';
import type { BenchCase } from './bench-case.js';

/** After the last request, until reads for it have ended. */
const settleMs = 500;

export const idleCase: BenchCase = {
  name: 'idle',
  title: 'Idle databases',
  explanation:
    'Requests to the store within a window in which nobody sends a request: with no database at all (what the node does ' +
    'for itself), with databases that were created and never opened, and with the same databases open. The rate is what ' +
    'exceeds the empty node, per database and hour.',
  run: async ({ directory, budget, progress }) => {
    const deployment = await Deployment.create(join(directory, 'deployment'));
    const node = await DataNode.start(deployment, { TURSO_BYOC_IDLE_CLOSE_MS: '86400000' });
    try {
      const count = budget.idleDatabases;
      const requestsInWindow = async (state: string): Promise<number> => {
        progress(`Idle databases: ${state}`);
        await sleep(settleMs);
        const before = await node.metrics();
        await sleep(budget.idleWindowMs);
        return new MetricsDifference(before, await node.metrics()).storeRequests;
      };
      const own = await requestsInWindow('none');
      const databases = await inParallel(Array.from({ length: count }), async (_, index) => {
        return node.createDatabase(`idle${index}`);
      });
      const closed = await requestsInWindow('never opened');
      await inParallel(databases, async (database) => node.execute(database, 'CREATE TABLE t (a)'));
      const open = await requestsInWindow('open');

      const hours = budget.idleWindowMs / 3_600_000;
      const rate = (requests: number): number => (requests - own) / count / hours;
      const result = (state: string, databases: number, requests: number): Result => ({
        case: idleCase.name,
        parameters: { state, databases, 'window (s)': budget.idleWindowMs / 1000 },
        figures: [
          singleFigure('store requests', 'count', requests),
          ...(databases > 0 ? [singleFigure('per database and hour', 'count', rate(requests))] : []),
        ],
      });
      return {
        results: [result('none', 0, own), result('never opened', count, closed), result('open', count, open)],
        targets: [
          target('store requests per idle database and hour, never opened', 'count', rate(closed), 'at most', 0),
          target('store requests per idle database and hour, open', 'count', rate(open), 'at most', 0),
        ],
      };
    } finally {
      await node.stop();
    }
  },
};
