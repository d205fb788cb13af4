import { alarms } from '@turso-byoc/data-plane/metering/alarms/alarms.js';
import { signalsOf } from '@turso-byoc/data-plane/metering/alarms/signals.js';
import { embeddedMetricsNamespace } from '../config/process-environment.js';
import type { DeploymentContext } from './deployment-context.js';
import type { WatchedProcesses } from './deployment-alarms.js';

type Metric = readonly [namespace: string, name: string, ...dimensionsAndOptions: unknown[]];

/** The dashboard of a deployment, in CloudWatch's own form: state first, then what clients see, then the processes. */
export function deploymentDashboard(
  { configuration, names }: DeploymentContext,
  watched: WatchedProcesses,
  alarmNames: readonly string[],
): object {
  const { region, account } = configuration;
  const graph = (title: string, stat: string, metrics: readonly Metric[]): object => ({
    type: 'metric',
    width: 8,
    height: 6,
    properties: { title, region, stat, period: 60, view: 'timeSeries', metrics },
  });
  const elb = 'AWS/ApplicationELB';
  const balancer = ['LoadBalancer', watched.loadBalancer] as const;
  const nodes = ['TargetGroup', watched.nodes, ...balancer] as const;
  const control = ['TargetGroup', watched.control, ...balancer] as const;
  const services = [...watched.dataServices, ...(watched.controlService === undefined ? [] : [watched.controlService])];
  const ofServices = (metric: string): Metric[] =>
    services.map((service) => ['AWS/ECS', metric, 'ClusterName', names.cluster, 'ServiceName', service]);
  const namespace = embeddedMetricsNamespace(configuration);
  const isOverWhole = /(Among|Quick)$/;
  const signalGraphs = (): object[] => {
    const signals = signalsOf(alarms).filter(({ name }) => !isOverWhole.test(name));
    const named = (isGauge: boolean): Metric[] =>
      signals.filter((signal) => signal.isGauge === isGauge).map(({ name }): Metric => [namespace, name]);
    return [
      graph('What alarms count, a minute', 'Sum', named(false)),
      graph('What alarms watch: lag, backlog, failing zones', 'Maximum', named(true)),
    ];
  };
  const widgets = [
    {
      type: 'alarm',
      width: 24,
      height: 4,
      properties: {
        title: 'Alarms',
        alarms: alarmNames.map((name) => `arn:${names.partition}:cloudwatch:${region}:${account}:alarm:${name}`),
      },
    },
    graph('Ready data nodes', 'Minimum', [[elb, 'HealthyHostCount', ...nodes]]),
    graph('Healthy control-plane processes', 'Minimum', [[elb, 'HealthyHostCount', ...control]]),
    graph('Requests', 'Sum', [
      [elb, 'RequestCount', ...nodes],
      [elb, 'RequestCount', ...control],
    ]),
    graph('Time to answer, p50', 'p50', [[elb, 'TargetResponseTime', ...nodes]]),
    graph('Time to answer, p99', 'p99', [[elb, 'TargetResponseTime', ...nodes]]),
    graph('Errors', 'Sum', [
      [elb, 'HTTPCode_Target_4XX_Count', ...nodes],
      [elb, 'HTTPCode_Target_5XX_Count', ...nodes],
      [elb, 'HTTPCode_ELB_5XX_Count', ...balancer],
    ]),
    ...(services.length === 0
      ? []
      : [
          graph('CPU', 'Average', ofServices('CPUUtilization')),
          graph('Memory', 'Average', ofServices('MemoryUtilization')),
        ]),
    ...(services.length === 0 ? [] : signalGraphs()),
  ];
  return { widgets };
}
