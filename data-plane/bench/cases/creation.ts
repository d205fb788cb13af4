/** Creation of databases through the admin interface. */
import { MetricsDifference } from '../measure/metrics-snapshot.js';
import { latencyFigures, singleFigure } from '../report/figures.js';
import type { Result } from '../report/report.js';
import type { BenchCase } from './bench-case.js';

export const creationCase: BenchCase = {
  name: 'creation',
  title: 'Database creation',
  explanation:
    'Databases created through the admin interface: name record, data key and manifest are stored when it answers.',
  run: async ({ budget, load, progress, workload }) => {
    const { node } = await workload();
    const results: Result[] = [];
    for (const parallel of [1, 16]) {
      progress(`Database creation: ${parallel} at a time`);
      const requests = Array.from({ length: budget.creations }, (_, index) => {
        return node.newDatabase(`create${parallel}x${index}`).request;
      });
      const before = await node.metrics();
      const { result, perSecond, cores } = await load.run(
        { host: node.host, port: node.adminPort, requests, connections: parallel, extent: { kind: 'once' } },
        { io: () => [node.ioProcessId] },
      );
      const difference = new MetricsDifference(before, await node.metrics());
      results.push({
        case: creationCase.name,
        parameters: { 'at a time': parallel },
        figures: [
          singleFigure('created', '/s', perSecond),
          ...latencyFigures('creation', result.latenciesMs),
          singleFigure('store requests each', 'count', difference.storeRequests / requests.length),
          singleFigure('store write', 'ms', difference.meanStoreWriteMs),
          singleFigure('I/O cores', 'cores', cores.io),
        ],
      });
    }
    return { results, targets: [] };
  },
};
