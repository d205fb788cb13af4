import { pino } from 'pino';
import { alarms } from './alarms/alarms.js';
import { signalsOf } from './alarms/signals.js';
import { EmbeddedMetrics } from './embedded-metrics.js';
import { Metrics } from './metrics.js';

const rules = alarms.filter(({ plane }) => plane === 'data');

it('metrics in the log are what CloudWatch takes, and tell what happened since the line before', async () => {
  const lines: Record<string, any>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = new Metrics();
  const embedded = new EmbeddedMetrics({
    registry: metrics.registry,
    rules,
    namespace: 'TursoByoc/t',
    log,
    nowMs: () => 7,
  });
  metrics.requestEnded('v3-pipeline', '5xx', 3_000);
  metrics.requestEnded('v3-pipeline', '2xx', 3);
  metrics.refused('LOCAL_DISK_FULL');
  metrics.commits.lagSeconds.watch(() => 6.5);
  await embedded.write();
  metrics.requestEnded('v3-pipeline', '2xx', 3);
  await embedded.stop();
  expect(lines).toMatchObject([
    {
      ServerErrors: 1,
      ServerErrorsAmong: 2,
      SlowRequestsQuick: 1,
      SlowRequestsAmong: 2,
      DiskFull: 1,
      CommitLag: 6.5,
      LogNotRecovered: 0,
    },
    { ServerErrors: 0, ServerErrorsAmong: 1, SlowRequestsQuick: 1, SlowRequestsAmong: 1, DiskFull: 0 },
  ]);
  // The specification of the format: every metric that is named has a number at the top level; dimensions are a list of sets.
  for (const line of lines) {
    const { Timestamp, CloudWatchMetrics } = line['_aws'];
    expect(Timestamp).toBe(7);
    expect(CloudWatchMetrics).toHaveLength(1);
    const [{ Namespace, Dimensions, Metrics: named }] = CloudWatchMetrics;
    expect([Namespace, Dimensions]).toEqual(['TursoByoc/t', [[]]]);
    expect(named.map(({ Name }: { Name: string }) => Name)).toEqual(signalsOf(rules).map(({ name }) => name));
    expect(named.length).toBeLessThanOrEqual(100);
    for (const { Name } of named) expect(line[Name]).toEqual(expect.any(Number));
  }
});
