import { Metrics } from '../../src/metering/metrics.js';
import { MetricsDifference, MetricsSnapshot } from './metrics-snapshot.js';

describe('the counters of a data node', () => {
  it('reads what the data node exposes', async () => {
    const metrics = new Metrics();
    const request = { outcome: 'ok', sentBytes: 10, receivedBytes: 0 } as const;
    metrics.storeRequestEnded({ operation: 'put', objects: 'log', durationMs: 2, ...request });
    const before = MetricsSnapshot.parse((await metrics.expose()).text);
    metrics.storeRequestEnded({ operation: 'put', objects: 'log', durationMs: 3, ...request });
    metrics.storeRequestEnded({ operation: 'put', objects: 'log', durationMs: 5, ...request });
    metrics.storeRequestEnded({ operation: 'get', objects: 'log', durationMs: 1, ...request });
    metrics.commits.stored({ position: 1, bytes: 100, fragments: 1, commits: 1, windowMs: 1, storeMs: 1 });
    const difference = new MetricsDifference(before, MetricsSnapshot.parse((await metrics.expose()).text));
    expect(difference.storeRequests).toBe(3);
    expect(difference.storeWrites).toBe(2);
    expect(difference.storeOperations).toEqual({ get: 1, put: 2 });
    expect(difference.logObjects).toBe(1);
    expect(difference.meanStoreWriteMs).toBeCloseTo(4);
    expect(before.sum('turso_byoc_store_requests_total')).toBe(1);
  });

  it('is zero where nothing was counted', () => {
    const nothing = new MetricsDifference(MetricsSnapshot.parse(''), MetricsSnapshot.parse('# HELP x\n'));
    expect([nothing.storeRequests, nothing.meanStoreWriteMs]).toEqual([0, 0]);
  });

  it('tells labels with escaped quotes apart', () => {
    const text = 'm{a="x\\"y",b="1"} 2\nm{a="z",b="1"} 3.5\nm 4\n';
    const snapshot = MetricsSnapshot.parse(text);
    expect([snapshot.sum('m'), snapshot.sum('m', { b: '1' }), snapshot.sum('m', { a: 'z' })]).toEqual([9.5, 5.5, 3.5]);
  });
});
