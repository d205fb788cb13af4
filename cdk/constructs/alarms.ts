import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnMetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { runbookUrl } from '../config/runbooks.js';
import type { DeploymentContext } from './deployment-context.js';

/** One alarm. */
export interface AlarmDefinition {
  readonly name: string;
  /** Section of its runbook. @default the name */
  readonly runbook?: string;
  /** What has happened when it goes off, one sentence. */
  readonly meaning: string;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** `Sum`, `Average`, `Maximum`, `Minimum`, or a percentile such as `p99`. */
  readonly statistic: string;
  readonly threshold: number;
  readonly when: 'above' | 'below';
  /** Minutes in a row. */
  readonly minutes: number;
  /** What no data means. */
  readonly silence: 'good' | 'bad';
}

/** Alarms that tell people, with what each means and where its runbook is. */
export class Alarms extends Construct {
  readonly names: readonly string[];

  constructor(
    scope: Construct,
    id: string,
    private readonly context: DeploymentContext,
    definitions: readonly AlarmDefinition[],
  ) {
    super(scope, id);
    this.names = definitions.map((definition) => this.alarm(definition));
  }

  private alarm(definition: AlarmDefinition): string {
    const { names, configuration } = this.context;
    const alarmName = `${names.prefix}-${definition.name}`;
    const actions = [names.alarmTopicArn, ...configuration.alarms.topicArns];
    new CfnAlarm(this, definition.name, {
      alarmName,
      alarmDescription: `${definition.meaning} Runbook: ${runbookUrl(configuration, definition.runbook ?? definition.name)}`,
      namespace: definition.namespace,
      metricName: definition.metricName,
      dimensions: Object.entries(definition.dimensions).map(([name, value]) => ({ name, value })),
      ...(/^p\d/.test(definition.statistic)
        ? { extendedStatistic: definition.statistic }
        : { statistic: definition.statistic }),
      period: 60,
      evaluationPeriods: definition.minutes,
      threshold: definition.threshold,
      comparisonOperator: definition.when === 'above' ? 'GreaterThanThreshold' : 'LessThanThreshold',
      treatMissingData: definition.silence === 'good' ? 'notBreaching' : 'breaching',
      actionsEnabled: true,
      alarmActions: actions,
      okActions: actions,
    });
    return alarmName;
  }
}

export interface LogMetricProps {
  readonly context: DeploymentContext;
  readonly logGroupName: string;
  readonly metricName: string;
  /** What a line of the JSON log must be like, in CloudWatch's filter language. */
  readonly pattern: string;
}

/** Counts lines of a log as a metric; returns its namespace. */
export function logMetric(
  scope: Construct,
  id: string,
  { context, logGroupName, metricName, pattern }: LogMetricProps,
): string {
  const metricNamespace = `TursoByoc/${context.configuration.name}`;
  new CfnMetricFilter(scope, id, {
    logGroupName,
    filterPattern: pattern,
    metricTransformations: [{ metricName, metricNamespace, metricValue: '1', defaultValue: 0 }],
  });
  return metricNamespace;
}
