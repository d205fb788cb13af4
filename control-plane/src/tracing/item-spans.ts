import type { SpanAttributes, TraceSpan } from '@turso-byoc/data-plane/tracing/trace-span.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';

/** Items of a piece of work that have spans. */
export const mostItemSpans = 32;

/**
 * The spans of work that consists of many items of a kind, below the span whose work runs. Of so many items as there are in a large
 * fleet only some have spans, spread over all of them: a trace stays readable, and a collector is not flooded.
 */
export class ItemSpans {
  readonly #every: number;
  #seen = 0;
  #spanned = 0;

  /** `total`: how many items there will be, as far as that is known. */
  constructor(
    private readonly tracing: Tracing | undefined,
    total: number,
  ) {
    this.#every = Math.max(1, Math.ceil(total / mostItemSpans));
  }

  /** Does an item; `work` is given its span. Without one, nothing that the item does is in a trace. */
  async item<T>(
    name: string,
    attributes: SpanAttributes,
    work: (span: TraceSpan | undefined) => Promise<T>,
  ): Promise<T> {
    const { tracing } = this;
    if (!tracing) return work(undefined);
    const isShown = this.#seen % this.#every === 0 && this.#spanned < mostItemSpans;
    this.#seen += 1;
    if (!isShown) return tracing.during(undefined, work);
    this.#spanned += 1;
    return tracing.part(name, attributes, work);
  }
}
