import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { Metrics } from '@turso-byoc/data-plane/metering/metrics.js';
import { ControlMetrics } from './control-metrics.js';
import { metricsPage } from './metrics-page.js';

const path = new URL('../../../docs/metrics.md', import.meta.url).pathname;

describe('docs/metrics.md', () => {
  it('is what the metrics say of themselves (else: npm run metrics-page)', async () => {
    const page = await format(metricsPage(), { ...(await resolveConfig(path)), filepath: path });
    expect(readFileSync(path, 'utf8')).toBe(page);
  });
});

describe('metrics of both planes', () => {
  const described = [new Metrics(), new ControlMetrics()].flatMap(({ registry }) =>
    registry.getMetricsAsArray(),
  ) as unknown as { name: string; help: string; labelNames: string[] }[];

  it('have names of one form, and a meaning', () => {
    expect(described.length).toBeGreaterThan(50);
    for (const { name, help } of described) {
      expect(name).toMatch(/^turso_byoc_[a-z_]+$/);
      expect([name, help]).toEqual([name, expect.stringMatching(/^\S.*\.$/)]);
      expect(name).not.toMatch(/_(ms|millis|kb|mb)(_|$)/);
    }
  });

  it('have no label that could name a database, an organization or a person', () => {
    const labels = new Set(described.flatMap(({ labelNames }) => labelNames));
    expect([...labels].sort()).toEqual(
      [
        ...['cause', 'code', 'direction', 'event', 'kind', 'method', 'objects', 'operation', 'outcome', 'process'],
        ...['purpose', 'route', 'status', 'zone'],
      ].sort(),
    );
  });
});
