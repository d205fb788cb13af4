import { Metrics } from '@turso-byoc/data-plane/metering/metrics.js';
import { Counter, Histogram, type Registry } from 'prom-client';
import { ControlMetrics } from './control-metrics.js';

interface DescribedMetric {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** The text of `docs/metrics.md`: every metric of both planes, in the order of their names. */
export function metricsPage(): string {
  return `${introduction}
## Data nodes

${table(new Metrics().registry)}

## Control plane

${table(new ControlMetrics().registry)}
`;
}

function table(registry: Registry): string {
  const metrics = registry.getMetricsAsArray() as unknown as readonly (DescribedMetric & object)[];
  const rows = [...metrics]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((metric) => {
      const labels = metric.labelNames.map((label) => `\`${label}\``).join(', ');
      return `| \`${metric.name}\` | ${kindOf(metric)} | ${labels} | ${metric.help.replaceAll('|', '\\|')} |`;
    });
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function kindOf(metric: object): string {
  if (metric instanceof Counter) return 'counter';
  return metric instanceof Histogram ? 'histogram' : 'gauge';
}

const introduction = `# Metrics

Generated from the metrics themselves: \`npm run metrics-page\`; do not edit.

Names and labels are an interface: they change only with a major version, and the changelog says so. No label carries the
name or the id of a database, an organization or a person, so the number of series has a bound. Times are in seconds, sizes in
bytes. Where they are collected, and what is done with them: [operations/observability.md](operations/observability.md).
`;
