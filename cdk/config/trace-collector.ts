import type { ResolvedConfiguration } from './deployment-configuration.js';

/** Port of the collector of traces; undefined when nothing is traced. */
export function traceCollectorPort({ traces }: Pick<ResolvedConfiguration, 'traces'>): number | undefined {
  if (traces.kind === 'off') return undefined;
  const { port, protocol } = new URL(traces.endpoint);
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

/** Where the collector may be; nowhere when nothing is traced. */
export function traceCollectorCidrs({ traces, network }: ResolvedConfiguration): readonly string[] {
  if (traces.kind === 'off') return [];
  return traces.cidrs.length > 0 ? traces.cidrs : [network.cidr];
}

/** Share of the requests that are traced, as `OTEL_TRACES_SAMPLER_ARG` has it; undefined when nothing is traced. */
export function tracedShare({ traces }: Pick<ResolvedConfiguration, 'traces'>): number | undefined {
  return traces.kind === 'off' ? undefined : traces.sampledPercent / 100;
}
