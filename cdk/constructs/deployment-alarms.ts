import type { AlarmDefinition } from './alarms.js';
import type { DeploymentContext } from './deployment-context.js';

export interface WatchedProcesses {
  /** `LoadBalancer` dimension of the load balancer's metrics. */
  readonly loadBalancer: string;
  /** `TargetGroup` dimensions. */
  readonly nodes: string;
  readonly control: string;
  /** Services of data nodes on ECS; none on Kubernetes, whose chart has its own alarms. */
  readonly dataServices: readonly string[];
  readonly controlService: string | undefined;
  /** Namespace of the metrics that are counted from logs. */
  readonly logMetrics: string;
}

/** Metrics that are counted from lines of the data nodes' log, and the message of the line. */
export const nodeLogMetrics = [
  { metricName: 'KeysRefused', message: 'key refused' },
  { metricName: 'LogZonesLost', message: 'log zone cannot be used' },
  { metricName: 'NodesCondemned', message: 'node condemned' },
  { metricName: 'EpochsNotRecovered', message: 'a node epoch could not be recovered' },
] as const;

/** Every alarm of a deployment, in the order of docs/operations/alarms.md. */
export function deploymentAlarms(
  { configuration, names }: DeploymentContext,
  watched: WatchedProcesses,
): readonly AlarmDefinition[] {
  const balancer = { LoadBalancer: watched.loadBalancer };
  const nodes = { ...balancer, TargetGroup: watched.nodes };
  const elb = { namespace: 'AWS/ApplicationELB' } as const;
  const service = (name: string) => ({ ClusterName: names.cluster, ServiceName: name });
  const fromLog = { namespace: watched.logMetrics, dimensions: {}, statistic: 'Sum', silence: 'good' } as const;
  return [
    {
      ...elb,
      name: 'no-data-node',
      meaning: 'No data node is ready: nobody is served.',
      metricName: 'HealthyHostCount',
      dimensions: nodes,
      statistic: 'Maximum',
      threshold: 1,
      when: 'below',
      minutes: 1,
      silence: 'bad',
    },
    {
      ...elb,
      name: 'few-data-nodes',
      meaning: 'Fewer data nodes are ready than the configuration wants.',
      metricName: 'HealthyHostCount',
      dimensions: nodes,
      statistic: 'Maximum',
      threshold: configuration.dataNodes.minimum,
      when: 'below',
      minutes: 10,
      silence: 'bad',
    },
    {
      ...elb,
      name: 'no-control-plane',
      meaning: 'No control-plane process is healthy: databases serve on, none is created.',
      metricName: 'HealthyHostCount',
      dimensions: { ...balancer, TargetGroup: watched.control },
      statistic: 'Maximum',
      threshold: 1,
      when: 'below',
      minutes: 3,
      silence: 'bad',
    },
    {
      ...elb,
      name: 'server-errors',
      meaning: 'Data nodes answer many requests with 5xx.',
      metricName: 'HTTPCode_Target_5XX_Count',
      dimensions: nodes,
      statistic: 'Sum',
      threshold: 50,
      when: 'above',
      minutes: 5,
      silence: 'good',
    },
    {
      ...elb,
      name: 'unanswered-requests',
      meaning: 'The load balancer answers requests itself with 5xx, because no node did.',
      metricName: 'HTTPCode_ELB_5XX_Count',
      dimensions: balancer,
      statistic: 'Sum',
      threshold: 20,
      when: 'above',
      minutes: 3,
      silence: 'good',
    },
    {
      ...elb,
      name: 'slow-answers',
      meaning: 'One request in a hundred waits longer than a second for its answer.',
      metricName: 'TargetResponseTime',
      dimensions: nodes,
      statistic: 'p99',
      threshold: 1,
      when: 'above',
      minutes: 10,
      silence: 'good',
    },
    ...[...watched.dataServices, ...(watched.controlService === undefined ? [] : [watched.controlService])].flatMap(
      (name): AlarmDefinition[] => [
        {
          namespace: 'AWS/ECS',
          name: `memory-${name}`,
          runbook: 'memory',
          meaning: `The processes of ${name} use nearly all their memory.`,
          metricName: 'MemoryUtilization',
          dimensions: service(name),
          statistic: 'Maximum',
          threshold: 90,
          when: 'above',
          minutes: 10,
          silence: 'good',
        },
      ],
    ),
    ...watched.dataServices.map((name): AlarmDefinition => ({
      namespace: 'AWS/ECS',
      name: `cpu-${name}`,
      runbook: 'cpu',
      meaning: `The nodes of ${name} use nearly all their CPU although scaling had time.`,
      metricName: 'CPUUtilization',
      dimensions: service(name),
      statistic: 'Average',
      threshold: 90,
      when: 'above',
      minutes: 15,
      silence: 'good',
    })),
    {
      ...fromLog,
      name: 'key-refused',
      meaning: 'A key of databases was refused: its databases are closed until access returns.',
      metricName: 'KeysRefused',
      threshold: 0,
      when: 'above',
      minutes: 1,
    },
    {
      ...fromLog,
      name: 'log-zone-lost',
      meaning: 'A zone of the commit log cannot be used: the other two carry it.',
      metricName: 'LogZonesLost',
      threshold: 0,
      when: 'above',
      minutes: 5,
    },
    {
      ...fromLog,
      name: 'nodes-die',
      meaning: 'Data nodes died and were replaced, several times in an hour.',
      metricName: 'NodesCondemned',
      threshold: 0,
      when: 'above',
      minutes: 5,
    },
    {
      ...fromLog,
      name: 'log-not-recovered',
      meaning: 'The log of a dead node cannot be recovered because an object is missing or damaged.',
      metricName: 'EpochsNotRecovered',
      threshold: 0,
      when: 'above',
      minutes: 1,
    },
  ];
}
