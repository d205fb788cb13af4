import { Metrics, statusClass } from './metrics.js';

describe('Metrics', () => {
  it('keeps the names and labels that dashboards are built on', async () => {
    const metrics = new Metrics();
    metrics.requestEnded('v3-cursor', '2xx', 3);
    metrics.requestEnded('other', 'aborted', 3);
    metrics.refused('AUTH_JWT_EXPIRED');
    metrics.databases.open.watch(() => 1);
    metrics.engines.watch(
      () =>
        new Map([
          ['ordinary', 4],
          ['isolation', 1],
        ]),
    );
    metrics.engineRestarted('crash');
    metrics.commits.stored({ position: 1, bytes: 4096, fragments: 2, commits: 3, windowMs: 5, storeMs: 30 });
    metrics.keyUsed({ operation: 'unwrap', outcome: 'done', durationMs: 4 });
    metrics.warned('fold failed');
    metrics.storeRequestEnded({
      operation: 'put',
      objects: 'log',
      outcome: 'lost',
      durationMs: 7,
      sentBytes: 10,
      receivedBytes: 0,
    });
    metrics.storeRequestEnded({
      operation: 'get',
      objects: 'log',
      outcome: 'ok',
      durationMs: 7,
      sentBytes: 0,
      receivedBytes: 20,
    });
    const { text } = await metrics.expose();
    for (const line of [
      'turso_byoc_requests_total{kind="v3-cursor",status="2xx"} 1',
      'turso_byoc_requests_total{kind="other",status="aborted"} 1',
      'turso_byoc_request_duration_seconds_bucket{le="0.0025",kind="v3-cursor"} 0',
      'turso_byoc_request_duration_seconds_bucket{le="0.005",kind="v3-cursor"} 1',
      'turso_byoc_auth_failures_total{code="AUTH_JWT_EXPIRED"} 1',
      'turso_byoc_open_databases 1',
      'turso_byoc_engine_restarts_total{cause="crash"} 1',
      'turso_byoc_engine_processes{purpose="ordinary"} 4',
      'turso_byoc_engine_processes{purpose="isolation"} 1',
      'turso_byoc_commit_log_objects_total 1',
      'turso_byoc_commit_log_bytes_total 4096',
      'turso_byoc_commits_total 3',
      'turso_byoc_commit_window_seconds_sum 0.005',
      'turso_byoc_commit_store_seconds_sum 0.03',
      'turso_byoc_key_request_duration_seconds_bucket{le="0.005",operation="unwrap"} 1',
      'turso_byoc_warnings_total{event="fold failed"} 1',
      'turso_byoc_store_requests_total{operation="put",outcome="lost",objects="log"} 1',
      'turso_byoc_store_request_duration_seconds_bucket{le="0.01",operation="get"} 1',
      'turso_byoc_store_bytes_total{direction="sent"} 10',
      'turso_byoc_store_bytes_total{direction="received"} 20',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });

  it('shares nothing between two nodes in one process', async () => {
    new Metrics().databases.open.watch(() => 1);
    expect((await new Metrics().expose()).text).toMatch(/^turso_byoc_open_databases 0$/m);
  });

  it.each([
    [200, '2xx'],
    [204, '2xx'],
    [304, '3xx'],
    [404, '4xx'],
    [503, '5xx'],
  ])('puts status %d into class %s', (status, expected) => {
    expect(statusClass(status)).toBe(expected);
  });
});
