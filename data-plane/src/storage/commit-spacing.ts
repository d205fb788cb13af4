/**
 * The least time between two log objects of a node. It is the configured commit window, and longer where that saves
 * requests without being felt: up to half of what the store itself takes for an object, so that the median commit waits
 * for the store and little else.
 */
/** The share of the store's median latency that the spacing may reach, and the most it may be for that reason. */
const shareOfLatency = 0.5;
const mostAdaptedSpacingMs = 50;
/** As many latencies are looked at; the spacing changes when that many are known. */
const observedObjects = 32;

export class CommitSpacing {
  readonly #windowMs: number;
  readonly #latenciesMs: number[] = [];
  #next = 0;
  #spacingMs: number;

  /** `windowMs`: the configured window. 0 means that latency matters whatever it costs: then nothing is adapted. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#spacingMs = windowMs;
  }

  get spacingMs(): number {
    return this.#spacingMs;
  }

  /** Notes how long the store took for a log object, retries included. */
  observe(latencyMs: number): void {
    if (this.#windowMs === 0) return;
    this.#latenciesMs[this.#next] = latencyMs;
    this.#next = (this.#next + 1) % observedObjects;
    // Once for every eighth object: the median moves slowly, and sorting is not free.
    if (this.#latenciesMs.length < observedObjects || this.#next % 8 !== 0) return;
    const sorted = [...this.#latenciesMs].sort((a, b) => a - b);
    const medianMs = sorted[observedObjects / 2] as number;
    this.#spacingMs = Math.max(this.#windowMs, Math.min(shareOfLatency * medianMs, mostAdaptedSpacingMs));
  }
}
