/**
 * What an Application Load Balancer does with the targets of a group, as its documentation says it: it asks each for its
 * health, sends requests to those that are healthy, to all when none is, and answers 502 itself when a target does not.
 * It decides nothing about time: each call of `check` is one interval.
 */
export class BalancedTargets {
  /** Requests that it answered itself with 5xx: the metric `HTTPCode_ELB_5XX_Count`. */
  unanswered = 0;
  /** Requests that a target answered with 5xx: the metric `HTTPCode_Target_5XX_Count`. */
  failed = 0;
  readonly #targets: Target[];
  #next = 0;

  constructor(
    private readonly group: TargetGroupSettings,
    urls: readonly string[],
  ) {
    this.#targets = urls.map((url) => ({ url, isHealthy: false, streak: 0 }));
  }

  /** The metric `HealthyHostCount`. */
  get healthy(): number {
    return this.#targets.filter(({ isHealthy }) => isHealthy).length;
  }

  /** Asks all targets as often as it takes for each to be known as what it is. */
  async check(): Promise<void> {
    const { healthyThreshold, unhealthyThreshold } = this.group;
    for (let pass = 0; pass < Math.max(healthyThreshold, unhealthyThreshold); pass++) {
      await Promise.all(this.#targets.map(async (target) => this.#ask(target)));
    }
  }

  /** Passes a request on; resolves with the status that the client sees. */
  async request(path: string, init: RequestInit = {}): Promise<number> {
    const healthy = this.#targets.filter(({ isHealthy }) => isHealthy);
    const open = healthy.length > 0 ? healthy : this.#targets;
    const target = open[this.#next++ % open.length];
    const status = target ? await statusOf(target.url + path, init) : undefined;
    if (status === undefined) this.unanswered += 1;
    else if (status >= 500) this.failed += 1;
    return status ?? (target ? 502 : 503);
  }

  async #ask(target: Target): Promise<void> {
    const { path, status, healthyThreshold, unhealthyThreshold } = this.group;
    const isGood = (await statusOf(target.url + path)) === status;
    target.streak = isGood === target.isHealthy ? 0 : target.streak + 1;
    if (target.streak >= (isGood ? healthyThreshold : unhealthyThreshold)) {
      target.isHealthy = isGood;
      target.streak = 0;
    }
  }
}

export interface TargetGroupSettings {
  readonly path: string;
  /** Of a healthy target. */
  readonly status: number;
  /** Answers in a row. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

interface Target {
  readonly url: string;
  isHealthy: boolean;
  /** Answers in a row that say the opposite. */
  streak: number;
}

/** `undefined` when nobody answers. */
async function statusOf(url: string, init: RequestInit = {}): Promise<number | undefined> {
  try {
    const answer = await fetch(url, init);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return undefined;
  }
}
