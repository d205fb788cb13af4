import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { runbookUrl } from '../config/runbooks.js';
import type { DeploymentContext } from './deployment-context.js';

export interface AlarmMetric {
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** `Sum`, `Average`, `Maximum`, `Minimum`. */
  readonly statistic: string;
}

/** How much of the whole a part is, or the rest of the whole; 0 when the whole is nothing. */
export interface AlarmShare {
  readonly part: AlarmMetric;
  readonly whole: AlarmMetric;
  readonly isRest: boolean;
}

/** One alarm. */
export interface AlarmDefinition {
  readonly name: string;
  /** Name of its runbook. */
  readonly runbook: string;
  /** What has happened when it goes off, one sentence. */
  readonly meaning: string;
  readonly severity: 'critical' | 'warning';
  readonly metric: AlarmMetric | AlarmShare;
  readonly threshold: number;
  readonly when: 'above' | 'below';
  readonly periodSeconds: number;
  /** Periods in a row. */
  readonly periods: number;
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
    const { name, meaning, severity, runbook, metric, periodSeconds } = definition;
    const alarmName = `${names.prefix}-${name}`;
    const actions = [names.alarmTopicArn, ...configuration.alarms.topicArns];
    new CfnAlarm(this, name, {
      alarmName,
      alarmDescription: `${meaning} Severity: ${severity}. Runbook: ${runbookUrl(configuration, runbook)}`,
      ...('part' in metric
        ? {
            metrics: [
              {
                id: 'share',
                label: name,
                expression: `IF(whole > 0, ${metric.isRest ? '(whole - part)' : 'part'} / whole, 0)`,
                returnData: true,
              },
              { id: 'part', metricStat: statOf(metric.part, periodSeconds), returnData: false },
              { id: 'whole', metricStat: statOf(metric.whole, periodSeconds), returnData: false },
            ],
          }
        : {
            namespace: metric.namespace,
            metricName: metric.metricName,
            dimensions: dimensionsOf(metric),
            statistic: metric.statistic,
            period: periodSeconds,
          }),
      evaluationPeriods: definition.periods,
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

function statOf(metric: AlarmMetric, period: number): CfnAlarm.MetricStatProperty {
  const { namespace, metricName, statistic } = metric;
  return { metric: { namespace, metricName, dimensions: dimensionsOf(metric) }, period, stat: statistic };
}

function dimensionsOf({ dimensions }: AlarmMetric): CfnAlarm.DimensionProperty[] {
  return Object.entries(dimensions).map(([name, value]) => ({ name, value }));
}
