import type { NodeRecord, VersionedNodeRecord } from './node-record.js';

/**
 * What one node has seen of another one's record, and for how long it did not change.
 *
 * Only time between two reads that both succeeded counts, and no more of it than `maxGapMs` a pair: an outage of the
 * store, or of the observer, is not the death of others. The time begins when the answer had come that showed the record
 * first: its renewal was sent before that.
 */
export class Observation {
  #seen: VersionedNodeRecord | undefined;
  #unchangedMs = 0;
  #lastAnswerMs: number | undefined;

  constructor(private readonly maxGapMs: number) {}

  /** The record as it was read last. */
  get seen(): VersionedNodeRecord | undefined {
    return this.#seen;
  }

  get record(): NodeRecord | undefined {
    return this.#seen?.record;
  }

  /** How long the record has been seen unchanged. */
  get unchangedMs(): number {
    return this.#unchangedMs;
  }

  /** A read was answered at `nowMs`, on the observer's monotonic clock. */
  answered(found: VersionedNodeRecord, nowMs: number): void {
    const isSame = this.#seen?.etag === found.etag && this.#seen.record.version === found.record.version;
    if (!isSame) this.#unchangedMs = 0;
    else if (this.#lastAnswerMs !== undefined) this.#unchangedMs += Math.min(nowMs - this.#lastAnswerMs, this.maxGapMs);
    this.#seen = found;
    this.#lastAnswerMs = nowMs;
  }

  /** A read was not answered. */
  failed(): void {
    this.#lastAnswerMs = undefined;
  }

  /** Somebody else changed the record between two reads. */
  startAnew(): void {
    this.#unchangedMs = 0;
    this.#lastAnswerMs = undefined;
  }
}
