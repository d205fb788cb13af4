/** Alarms as Prometheus takes them. */
import { alertName, type AlarmRule, type LabelValues, type Series } from './alarm.js';

/** What stands in an expression for the labels that say which processes are meant. */
export const targetPlaceholder = '<TARGETS>';

export interface PrometheusAlert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
  /** Whose targets `targetPlaceholder` stands for. */
  readonly plane: AlarmRule['plane'];
}

/** The alerts of all alarms that Prometheus can see; `runbook` is the name of the runbook's file. */
export function prometheusAlerts(rules: readonly AlarmRule[]): PrometheusAlert[] {
  return rules.flatMap((rule) => {
    const expr = expressionOf(rule);
    if (expr === undefined) return [];
    return {
      alert: alertName(rule),
      expr,
      for: `${rule.forMinutes}m`,
      labels: { severity: rule.severity },
      annotations: { summary: rule.meaning, runbook: `${rule.name}.md` },
      plane: rule.plane,
    };
  });
}

/** The PromQL expression of an alarm; undefined when only AWS knows the condition. */
export function expressionOf({ condition }: AlarmRule): string | undefined {
  switch (condition.kind) {
    case 'aws':
      return undefined;
    case 'silent':
      return `absent(up{${targetPlaceholder}} == 1)`;
    case 'highest':
      return `max(${selector(condition.of)}) > ${condition.above}`;
    case 'increase':
      return `sum(increase(${selector(condition.of)}[${condition.withinMinutes}m])) > ${condition.above}`;
    case 'share': {
      const rate = (series: Series): string => `sum(rate(${selector(series)}[${condition.withinMinutes}m]))`;
      return `${rate(condition.of)} / ${rate(condition.among)} > ${condition.above}`;
    }
    case 'slow': {
      const { histogram, seconds, withinMinutes, above } = condition;
      const rate = (suffix: string, where: LabelValues): string => {
        const series = { metric: histogram.metric + suffix, where: { ...histogram.where, ...where } };
        return `sum(rate(${selector(series)}[${withinMinutes}m]))`;
      };
      return `1 - ${rate('_bucket', { le: [String(seconds)] })} / ${rate('_count', {})} > ${above}`;
    }
  }
}

function selector({ metric, where = {} }: Series): string {
  const labels = Object.entries(where).map(([label, values]) =>
    values.length === 1 && /^[\w .]*$/.test(values[0] ?? '') && !values[0]?.includes('.')
      ? `${label}="${values[0] ?? ''}"`
      : `${label}=~"${values.join('|')}"`,
  );
  // A bucket is named by a number, whose point is no regular expression.
  const exact = labels.map((label) => label.replace(/^le=~/, 'le='));
  return `${metric}{${[...exact, targetPlaceholder].join(',')}}`;
}
