import { ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';

/** `dropped`: the collector did not take what came before in time. `failed`: it refused, or did not answer. */
export type SpanOutcome = 'exported' | 'failed' | 'dropped';

export interface SpanQueueOptions {
  readonly exporter: SpanExporter;
  /** Called for every span, once. */
  readonly onSpans: (outcome: SpanOutcome, count: number) => void;
  /** Called when exporting begins to fail, with why, and when it works again. */
  readonly onChange: (failure: string | undefined) => void;
}

/** Spans that wait or are on their way, a few megabytes; beyond them spans are dropped, never waited for. */
export const mostWaitingSpans = 4_096;
/** Few, because they are written as JSON in one go, while requests wait. */
const spansPerExport = 128;
/** At a time; reached when what is left is brought away at the end. */
export const mostExports = 1 + mostWaitingSpans / spansPerExport;
const exportEveryMs = 1_000;
export const exportTimeoutMs = 5_000;

/** What is between ended spans and the collector: bounded, and counted to the last span. */
export class SpanQueue implements SpanProcessor {
  readonly #batches: BatchSpanProcessor;
  readonly #options: SpanQueueOptions;
  #waiting = 0;
  #isFailing = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
    const { exporter } = options;
    const counted: SpanExporter = {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.#gone(spans.length, result.code === ExportResultCode.SUCCESS, result.error);
          done(result);
        }),
      shutdown: async () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    };
    this.#batches = new BatchSpanProcessor({
      exporter: counted,
      // Larger than what gets here, so that nothing is dropped without being counted.
      maxQueueSize: 2 * mostWaitingSpans,
      maxExportBatchSize: spansPerExport,
      scheduledDelayMillis: exportEveryMs,
      exportTimeoutMillis: 2 * exportTimeoutMs,
    });
  }

  onStart(): void {
    // Spans are of interest when they are over.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= mostWaitingSpans) {
      this.#options.onSpans('dropped', 1);
      return;
    }
    this.#waiting += 1;
    this.#batches.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await this.#batches.forceFlush();
  }

  async shutdown(): Promise<void> {
    await this.#batches.shutdown();
  }

  #gone(count: number, isTaken: boolean, error: Error | undefined): void {
    this.#waiting -= count;
    this.#options.onSpans(isTaken ? 'exported' : 'failed', count);
    if (isTaken !== this.#isFailing) return;
    this.#isFailing = !isTaken;
    this.#options.onChange(isTaken ? undefined : (error?.message ?? 'no reason given'));
  }
}
