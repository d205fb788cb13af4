import { ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { mostWaitingSpans, SpanQueue, type SpanOutcome } from './span-queue.js';

type Done = Parameters<SpanExporter['export']>[1];

const { SUCCESS: success, FAILED: failure } = ExportResultCode;

const span = {
  spanContext: () => ({ traceId: 'a', spanId: 'b', traceFlags: 1 }),
  resource: { asyncAttributesPending: false },
} as unknown as ReadableSpan;

/** A queue before a collector that answers when it is told to. */
function queueBefore(): {
  queue: SpanQueue;
  counts: Record<SpanOutcome, number>;
  failures: (string | undefined)[];
  underWay: { count: number; done: Done }[];
} {
  const counts = { exported: 0, failed: 0, dropped: 0 };
  const failures: (string | undefined)[] = [];
  const underWay: { count: number; done: Done }[] = [];
  const queue = new SpanQueue({
    exporter: {
      export: (spans, done) => void underWay.push({ count: spans.length, done }),
      shutdown: async () => undefined,
    },
    onSpans: (outcome, count) => (counts[outcome] += count),
    onChange: (failure) => failures.push(failure),
  });
  return { queue, counts, failures, underWay };
}

describe('SpanQueue', () => {
  it('drops and counts what comes while too many wait, also those that are on their way', async () => {
    const { queue, counts, underWay } = queueBefore();
    for (let n = 0; n < mostWaitingSpans + 10; n++) queue.onEnd(span);
    expect(underWay).toHaveLength(1);
    expect(counts).toEqual({ exported: 0, failed: 0, dropped: 10 });

    const [first] = underWay;
    first?.done({ code: success });
    expect(counts.exported).toBe(first?.count);
    queue.onEnd(span);
    expect(counts.dropped).toBe(10);

    const flushed = queue.forceFlush();
    for (const { done } of underWay.slice(1)) done({ code: success });
    await flushed;
    expect(counts).toEqual({ exported: mostWaitingSpans + 1, failed: 0, dropped: 10 });
    await queue.shutdown();
  });

  it('says once that the collector fails, and once that it does not any more', async () => {
    const { queue, counts, failures, underWay } = queueBefore();
    for (const code of [failure, failure, success, success]) {
      queue.onEnd(span);
      const flushed = queue.forceFlush().catch(() => undefined);
      underWay.pop()?.done({ code, ...(code === failure && { error: new Error('no') }) });
      await flushed;
    }
    expect(failures).toEqual(['no', undefined]);
    expect(counts).toEqual({ exported: 2, failed: 2, dropped: 0 });
    await queue.shutdown();
  });
});
