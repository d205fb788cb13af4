import type { AlarmRule } from '@turso-byoc/data-plane/metering/alarms/alarm.js';
import { alarms } from '@turso-byoc/data-plane/metering/alarms/alarms.js';
import { signalName } from '@turso-byoc/data-plane/metering/alarms/signals.js';
import { embeddedMetricsNamespace } from '../config/process-environment.js';
import type { AlarmDefinition, AlarmMetric } from './alarms.js';
import type { DeploymentContext } from './deployment-context.js';

export interface WatchedProcesses {
  /** `LoadBalancer` dimension of the load balancer's metrics. */
  readonly loadBalancer: string;
  /** `TargetGroup` dimensions. */
  readonly nodes: string;
  readonly control: string;
  /** Services of data nodes on ECS; none on Kubernetes, whose chart has the other alarms for Prometheus. */
  readonly dataServices: readonly string[];
  readonly controlService: string | undefined;
}

type Measured = Pick<AlarmDefinition, 'metric' | 'threshold' | 'when' | 'periodSeconds' | 'periods' | 'silence'>;

/** Every alarm of a deployment, in the order of the table that the chart's alarms are made from, too. */
export function deploymentAlarms(context: DeploymentContext, watched: WatchedProcesses): readonly AlarmDefinition[] {
  const ofAws = awsConditions(context, watched);
  return alarms.flatMap((rule): AlarmDefinition[] => {
    const { name, meaning, severity } = rule;
    const described = { runbook: name, meaning, severity };
    const given = ofAws.get(name);
    if (given)
      return given.map(({ of, ...measured }) => ({ ...described, name: of ? `${name}-${of}` : name, ...measured }));
    // On Kubernetes no log of the processes comes to CloudWatch by itself.
    if (watched.dataServices.length === 0) return [];
    return [{ ...described, name, ...measuredBySignals(context, rule) }];
  });
}

/** The condition over the metrics that the processes write into their logs. */
function measuredBySignals({ configuration }: DeploymentContext, rule: AlarmRule): Measured {
  const { condition, forMinutes } = rule;
  const namespace = embeddedMetricsNamespace(configuration);
  const name = signalName(rule);
  const signal = (metricName: string, statistic: string): AlarmMetric => ({
    namespace,
    metricName,
    dimensions: {},
    statistic,
  });
  const overMinutes = (minutes: number) => ({
    periodSeconds: minutes * 60,
    periods: Math.max(1, Math.ceil(forMinutes / minutes)),
    when: 'above' as const,
    silence: 'good' as const,
  });
  switch (condition.kind) {
    case 'highest':
      return { ...overMinutes(1), metric: signal(name, 'Maximum'), threshold: condition.above };
    case 'increase':
      return { ...overMinutes(condition.withinMinutes), metric: signal(name, 'Sum'), threshold: condition.above };
    case 'share':
      return {
        ...overMinutes(condition.withinMinutes),
        metric: { part: signal(name, 'Sum'), whole: signal(`${name}Among`, 'Sum'), isRest: false },
        threshold: condition.above,
      };
    case 'slow':
      return {
        ...overMinutes(condition.withinMinutes),
        metric: { part: signal(`${name}Quick`, 'Sum'), whole: signal(`${name}Among`, 'Sum'), isRest: true },
        threshold: condition.above,
      };
    default:
      throw new Error(`the alarm ${rule.name} has no condition that CloudWatch could see`);
  }
}

/** What AWS itself measures, by the name of the alarm; `of` tells apart the alarms of several services. */
function awsConditions(
  { configuration, names }: DeploymentContext,
  watched: WatchedProcesses,
): ReadonlyMap<string, readonly (Measured & { readonly of?: string })[]> {
  const balancer = { LoadBalancer: watched.loadBalancer };
  const ready = (targetGroup: string): AlarmMetric => ({
    namespace: 'AWS/ApplicationELB',
    metricName: 'HealthyHostCount',
    dimensions: { ...balancer, TargetGroup: targetGroup },
    statistic: 'Maximum',
  });
  const minutesOf = (name: string) => ({
    periodSeconds: 60,
    periods: Math.max(1, alarms.find((rule) => rule.name === name)?.forMinutes ?? 1),
  });
  const below = (name: string, targetGroup: string, threshold: number): Measured => ({
    ...minutesOf(name),
    metric: ready(targetGroup),
    threshold,
    when: 'below',
    silence: 'bad',
  });
  const ofService = (name: string, service: string, metricName: string, statistic: string) => ({
    ...minutesOf(name),
    of: service,
    metric: {
      namespace: 'AWS/ECS',
      metricName,
      dimensions: { ClusterName: names.cluster, ServiceName: service },
      statistic,
    },
    threshold: 90,
    when: 'above' as const,
    silence: 'good' as const,
  });
  const services = [...watched.dataServices, ...(watched.controlService === undefined ? [] : [watched.controlService])];
  return new Map<string, readonly (Measured & { readonly of?: string })[]>([
    ['no-data-node', [below('no-data-node', watched.nodes, 1)]],
    ['few-data-nodes', [below('few-data-nodes', watched.nodes, configuration.dataNodes.minimum)]],
    ['no-control-plane', [below('no-control-plane', watched.control, 1)]],
    [
      'unanswered-requests',
      [
        {
          ...minutesOf('unanswered-requests'),
          metric: {
            namespace: 'AWS/ApplicationELB',
            metricName: 'HTTPCode_ELB_5XX_Count',
            dimensions: balancer,
            statistic: 'Sum',
          },
          threshold: 20,
          when: 'above',
          silence: 'good',
        },
      ],
    ],
    ['memory', services.map((service) => ofService('memory', service, 'MemoryUtilization', 'Maximum'))],
    ['cpu', watched.dataServices.map((service) => ofService('cpu', service, 'CPUUtilization', 'Average'))],
  ]);
}
