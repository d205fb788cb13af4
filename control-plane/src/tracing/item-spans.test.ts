import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import type { SpanAttributes } from '@turso-byoc/data-plane/tracing/trace-span.js';
import { Tracing, type SpanLibrary } from '@turso-byoc/data-plane/tracing/tracing.js';
import { ItemSpans, mostItemSpans } from './item-spans.js';

/** Keeps what was begun. */
function recordingTracing(share: number): { tracing: Tracing; begun: { name: string; item: unknown }[] } {
  const begun: { name: string; item: unknown }[] = [];
  const library: SpanLibrary = {
    begin: (name, _role, _startMs, parent, attributes: SpanAttributes) => {
      begun.push({ name, item: attributes['item'] });
      const id = { traceId: parent?.traceId ?? 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };
      return { id, set: () => undefined, fail: () => undefined, end: () => undefined };
    },
    flush: async () => undefined,
  };
  return { tracing: new Tracing(systemRuntime, library, share), begun };
}

async function runItems(tracing: Tracing, total: number, items: number): Promise<number> {
  let parts = 0;
  await tracing.during(tracing.beginOwn('run', {}), async () => {
    const spans = new ItemSpans(tracing, total);
    for (let item = 0; item < items; item++) {
      await spans.item('item', { item }, async () =>
        tracing.part('below', {}, async (span) => {
          if (span) parts += 1;
        }),
      );
    }
  });
  return parts;
}

describe('the spans of many items', () => {
  it.each([
    // As many as there are, when they are few.
    [5, 5, 5],
    [mostItemSpans, mostItemSpans, mostItemSpans],
    // Of more than that, and of more than was known, so many at most.
    [mostItemSpans + 1, mostItemSpans + 1, 17],
    [100_000, 100_000, mostItemSpans],
    [0, 10_000, mostItemSpans],
  ])(
    'of %i, and then %i of them, are %i, and what belongs to others is in no trace',
    async (total, items, expected) => {
      const { tracing, begun } = recordingTracing(1);
      expect(await runItems(tracing, total, items)).toBe(expected);
      expect(begun).toHaveLength(1 + 2 * expected);
    },
  );

  it('are spread over all of them', async () => {
    const { tracing, begun } = recordingTracing(1);
    await runItems(tracing, 3_200, 3_200);
    const items = begun.filter(({ name }) => name === 'item').map(({ item }) => item);
    expect(items).toEqual(Array.from({ length: mostItemSpans }, (_each, place) => place * 100));
  });

  it('are none where the share of traces is none', async () => {
    const { tracing, begun } = recordingTracing(0);
    expect(await runItems(tracing, 10, 10)).toBe(0);
    expect(begun).toEqual([]);
  });
});
