import { Counter, type Registry } from 'prom-client';
import type { SpanOutcome } from '../tracing/span-queue.js';

const outcomes: readonly SpanOutcome[] = ['exported', 'failed', 'dropped'];

/** What became of the spans of traced requests. */
export class TraceMetrics {
  readonly #spans: Counter<'outcome'>;

  /** `prefix`: what names of the process's metrics begin with. */
  constructor(registry: Registry, prefix: string) {
    this.#spans = new Counter({
      name: `${prefix}trace_spans_total`,
      help: 'Spans of traced requests: taken by the collector, not taken, or dropped because too many waited for it.',
      labelNames: ['outcome'],
      registers: [registry],
    });
    for (const outcome of outcomes) this.#spans.inc({ outcome }, 0);
  }

  ended(outcome: SpanOutcome, count: number): void {
    this.#spans.inc({ outcome }, count);
  }
}
