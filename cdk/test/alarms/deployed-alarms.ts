import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';

/** An alarm as CloudWatch gets it, with the dimensions that the deployed resources have. */
export interface DeployedAlarm {
  readonly name: string;
  /** `namespace/name statistic`; of a share those of the part. */
  readonly metric: string;
  /** The metric that `metric` is a part of, where the alarm is over the share, or over that of the rest. */
  readonly among?: { readonly metric: string; readonly isRest: boolean };
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

  /** All of them that are over one metric, or a share. */
  get all(): readonly DeployedAlarm[] {
    return resourcesOf(this.app, 'AWS::CloudWatch::Alarm').map((located) => this.#alarmOf(located));
  }

  /** Those whose name is this one, or begins with it and a dash. Throws when there is none. */
  named(name: string): readonly DeployedAlarm[] {
    const found = this.all.filter((alarm) => new RegExp(`^[^ ]*-${name}(-[a-z-]+)?$`).test(alarm.name));
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
    return {
      name: String(of('AlarmName')),
      ...metricsOf(of),
      periods: Number(of('EvaluationPeriods')),
      threshold,
      isBeyond: (value) => comparison(value, threshold),
      isSilenceBeyond: of('TreatMissingData') === 'breaching',
    };
  }
}

/** One metric, or the share of one in another as the stack writes it. */
function metricsOf(
  of: (property: string) => unknown,
): Pick<DeployedAlarm, 'metric' | 'among' | 'dimensions' | 'periodSeconds'> {
  const metrics = of('Metrics') as readonly MetricQuery[] | undefined;
  if (metrics === undefined) {
    const metric = `${String(of('Namespace'))}/${String(of('MetricName'))} ${String(of('Statistic'))}`;
    return { metric, dimensions: dimensionsOf(of('Dimensions')), periodSeconds: Number(of('Period')) };
  }
  const byId = new Map(metrics.map((query) => [query.Id, query]));
  const [part, whole] = [byId.get('part')?.MetricStat, byId.get('whole')?.MetricStat];
  const expression = byId.get('share')?.Expression ?? '';
  const isRest = expression === 'IF(whole > 0, (whole - part) / whole, 0)';
  if (!part || !whole || (!isRest && expression !== 'IF(whole > 0, part / whole, 0)')) {
    throw new Error(`the expression ${expression} is not known`);
  }
  const named = ({ Metric, Stat }: MetricStat): string => `${Metric.Namespace}/${Metric.MetricName} ${Stat}`;
  return {
    metric: named(part),
    among: { metric: named(whole), isRest },
    dimensions: dimensionsOf(part.Metric.Dimensions),
    periodSeconds: part.Period,
  };
}

interface MetricQuery {
  readonly Id: string;
  readonly Expression?: string;
  readonly MetricStat?: MetricStat;
}

interface MetricStat {
  readonly Metric: { readonly Namespace: string; readonly MetricName: string; readonly Dimensions?: unknown };
  readonly Period: number;
  readonly Stat: string;
}

function dimensionsOf(dimensions: unknown): Record<string, string> {
  const list = (dimensions ?? []) as readonly { readonly Name: string; readonly Value: string }[];
  return Object.fromEntries(list.map(({ Name, Value }) => [Name, Value]));
}

/** What an alarm compares, of the values of its metrics in one period by their names. */
export function valueOf({ metric, among }: DeployedAlarm, values: ReadonlyMap<string, number>): number {
  const value = (name: string): number => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`nobody measures ${name}`);
    return found;
  };
  if (!among) return value(metric);
  const [part, whole] = [value(metric), value(among.metric)];
  return whole > 0 ? (among.isRest ? whole - part : part) / whole : 0;
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
