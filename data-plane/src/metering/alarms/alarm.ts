/** What an alarm is, in terms that Prometheus and CloudWatch both have. */

/** Values of a label: each is a regular expression for the whole value. Labels that are not named may have any value. */
export type LabelValues = Readonly<Record<string, readonly string[]>>;

/** All series of a metric whose labels fit. */
export interface Series {
  readonly metric: string;
  readonly where?: LabelValues;
}

export type Condition =
  /** No process of the plane answers whoever collects its metrics, or the load balancer. */
  | { readonly kind: 'silent' }
  /** A counter rose by more than `above` within the time. */
  | { readonly kind: 'increase'; readonly of: Series; readonly above: number; readonly withinMinutes: number }
  /** Of what `among` counted within the time, `of` counted more than the share. */
  | {
      readonly kind: 'share';
      readonly of: Series;
      readonly among: Series;
      readonly above: number;
      readonly withinMinutes: number;
    }
  /** Of what a histogram saw within the time, more than the share took longer. `seconds` must be one of its buckets. */
  | {
      readonly kind: 'slow';
      readonly histogram: Series;
      readonly seconds: number;
      readonly above: number;
      readonly withinMinutes: number;
    }
  /** A gauge of some process is higher. */
  | { readonly kind: 'highest'; readonly of: Series; readonly above: number }
  /** Something that only AWS knows: the stack has the condition under the alarm's name. */
  | { readonly kind: 'aws' };

export interface AlarmRule {
  /** Also the name of its runbook, `docs/runbooks/<name>.md`. */
  readonly name: string;
  readonly plane: 'data' | 'control';
  /** `critical`: clients are not served, or data is in danger; `warning`: a person should look on the same day. */
  readonly severity: 'critical' | 'warning';
  /** What has happened when it goes off, one sentence. */
  readonly meaning: string;
  readonly condition: Condition;
  /** How long the condition has to hold. 0 = the first look that sees it. */
  readonly forMinutes: number;
}

/** The name that Prometheus has for it: `log-zone-failing` is `TursoByocLogZoneFailing`. */
export function alertName({ name }: Pick<AlarmRule, 'name'>): string {
  const words = name.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `TursoByoc${words.join('')}`;
}
