/** What alarms look at, as metrics that need no query language: one number a minute each. */
import type { AlarmRule, LabelValues } from './alarm.js';

export interface Signal {
  /** In CloudWatch: `server-errors` is `ServerErrors`, and what it is a share of `ServerErrorsAmong`. */
  readonly name: string;
  /** With the suffix of the series, where it is a histogram. */
  readonly metric: string;
  readonly where: LabelValues;
  /** The highest value counts; of a counter, what it rose by within the minute. */
  readonly isGauge: boolean;
}

export function signalName({ name }: Pick<AlarmRule, 'name'>): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** All signals that the alarms need. */
export function signalsOf(rules: readonly AlarmRule[]): Signal[] {
  return rules.flatMap((rule) => {
    const name = signalName(rule);
    const { condition } = rule;
    switch (condition.kind) {
      case 'aws':
      case 'silent':
        return [];
      case 'highest':
      case 'increase':
        return [
          { name, metric: condition.of.metric, where: condition.of.where ?? {}, isGauge: condition.kind === 'highest' },
        ];
      case 'share':
        return [
          { name, metric: condition.of.metric, where: condition.of.where ?? {}, isGauge: false },
          { name: `${name}Among`, metric: condition.among.metric, where: condition.among.where ?? {}, isGauge: false },
        ];
      case 'slow': {
        const { metric, where = {} } = condition.histogram;
        const le = [String(condition.seconds)];
        // CloudWatch is told how many were quick: the rest of all was slow.
        return [
          { name: `${name}Quick`, metric: `${metric}_bucket`, where: { ...where, le }, isGauge: false },
          { name: `${name}Among`, metric: `${metric}_count`, where, isGauge: false },
        ];
      }
    }
  });
}

/** Whether a series with these labels counts for a signal. */
export function isOfSignal({ where }: Signal, labels: Readonly<Record<string, string | number | undefined>>): boolean {
  return Object.entries(where).every(([label, patterns]) => {
    const value = String(labels[label] ?? '');
    return patterns.some((pattern) => value === pattern || new RegExp(`^(?:${pattern})$`).test(value));
  });
}
