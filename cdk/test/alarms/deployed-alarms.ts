import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';

/** An alarm over one metric, as CloudWatch gets it, with the dimensions that the deployed resources have. */
export interface DeployedAlarm {
  readonly name: string;
  /** `namespace/name statistic`. */
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly periodSeconds: number;
  /** Periods in a row that must be beyond the threshold. */
  readonly periods: number;
  readonly threshold: number;
  readonly isBeyond: (value: number) => boolean;
  /** Whether a period without data is beyond it. */
  readonly isSilenceBeyond: boolean;
}

export type AlarmState = 'OK' | 'ALARM';

const comparisons: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanThreshold: (value, threshold) => value > threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
};

/** The alarms in the templates of a deployment. */
export class DeployedAlarms {
  readonly #functions: IntrinsicFunctions;

  constructor(private readonly app: SynthesizedApp) {
    this.#functions = new IntrinsicFunctions(app);
  }

  /** Those whose name is this one, or begins with it and a dash. Throws when there is none. */
  named(name: string): readonly DeployedAlarm[] {
    const found = resourcesOf(this.app, 'AWS::CloudWatch::Alarm')
      .map((located) => this.#alarmOf(located))
      .filter((alarm) => new RegExp(`^[^ ]*-${name}(-[a-z-]+)?$`).test(alarm.name));
    if (found.length === 0) throw new Error(`no template has the alarm ${name}`);
    return found;
  }

  /** What a resource's property becomes when it is deployed. */
  property({ stack, resource }: LocatedResource, name: string): unknown {
    return this.#functions.resolve(stack, resource.Properties?.[name]);
  }

  /** What `Ref` gives of a resource. */
  ref(located: LocatedResource): string {
    return this.#functions.namesOf(located).ref;
  }

  #alarmOf(located: LocatedResource): DeployedAlarm {
    const of = (property: string): unknown => this.property(located, property);
    const comparison = comparisons[String(of('ComparisonOperator'))];
    if (!comparison) throw new Error(`the comparison ${String(of('ComparisonOperator'))} is not known`);
    const threshold = Number(of('Threshold'));
    const dimensions = (of('Dimensions') ?? []) as readonly { readonly Name: string; readonly Value: string }[];
    return {
      name: String(of('AlarmName')),
      metric: `${String(of('Namespace'))}/${String(of('MetricName'))} ${String(of('Statistic'))}`,
      dimensions: Object.fromEntries(dimensions.map(({ Name, Value }) => [Name, Value])),
      periodSeconds: Number(of('Period')),
      periods: Number(of('EvaluationPeriods')),
      threshold,
      isBeyond: (value) => comparison(value, threshold),
      isSilenceBeyond: of('TreatMissingData') === 'breaching',
    };
  }
}

/**
 * What CloudWatch makes of the data points so far, one for each period, oldest first; `undefined`: none came. An alarm goes
 * off when every one of the last periods is beyond its threshold.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
 */
export function stateOf(alarm: DeployedAlarm, points: readonly (number | undefined)[]): AlarmState {
  const last = points.slice(-alarm.periods);
  const isBeyond = (point: number | undefined): boolean =>
    point === undefined ? alarm.isSilenceBeyond : alarm.isBeyond(point);
  return last.length === alarm.periods && last.every(isBeyond) ? 'ALARM' : 'OK';
}
