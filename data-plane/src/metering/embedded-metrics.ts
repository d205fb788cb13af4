/**
 * Metrics in lines of the log, in CloudWatch's embedded metric format: CloudWatch makes metrics of them as they come in, without
 * an agent, a port or a permission of its own. Only what alarms are made of is written, because every metric there has a price.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AlarmRule } from './alarms/alarm.js';
import { isOfSignal, signalsOf, type Signal } from './alarms/signals.js';

export const embeddedMetricsIntervalMs = 60_000;

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly value: number;
}

export interface EmbeddedMetricsOptions {
  readonly registry: Registry;
  readonly rules: readonly AlarmRule[];
  /** Of CloudWatch, for example `TursoByoc/prod`. */
  readonly namespace: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

export class EmbeddedMetrics {
  readonly #options: EmbeddedMetricsOptions;
  readonly #signals: readonly Signal[];
  /** What counters stood at when the last line was written. */
  readonly #before = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedMetricsOptions) {
    this.#options = options;
    this.#signals = signalsOf(options.rules);
  }

  /** Writes a line every minute from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.write(), embeddedMetricsIntervalMs);
    this.#timer.unref();
  }

  /** Writes what has come since the last line, and no more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  async write(): Promise<void> {
    const { registry, namespace, log, nowMs } = this.#options;
    const values: Record<string, number> = {};
    for (const signal of this.#signals) {
      const metric = await registry.getSingleMetric(signal.metric.replace(/_(bucket|count)$/, ''))?.get();
      const samples = (metric?.values ?? []) as readonly Sample[];
      const fitting = samples.filter(
        ({ metricName, labels }) => (metricName ?? metric?.name) === signal.metric && isOfSignal(signal, labels),
      );
      const numbers = fitting.map(({ value }) => value);
      const now = signal.isGauge ? Math.max(0, ...numbers) : numbers.reduce((sum, value) => sum + value, 0);
      values[signal.name] = signal.isGauge ? now : now - (this.#before.get(signal.name) ?? 0);
      this.#before.set(signal.name, now);
    }
    const Metrics = this.#signals.map(({ name, isGauge }) => ({ Name: name, Unit: isGauge ? 'None' : 'Count' }));
    const _aws = {
      Timestamp: nowMs(),
      CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [[]], Metrics }],
    };
    log.info({ _aws, ...values }, 'metrics');
  }
}
