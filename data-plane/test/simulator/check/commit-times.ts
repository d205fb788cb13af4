/**
 * The times of a database's commits, worked out a second time from what the product promises: the clock of the node that
 * the commit came to, but later than the commit before, whoever took that one.
 */
export class CommitTimes {
  readonly #origin: CommitTimes | undefined;
  /** By the digest of the history that ends in the commit. */
  readonly #times = new Map<string, number>();

  /** `origin`: those of the database that this one was branched from. */
  constructor(origin?: CommitTimes) {
    this.#origin = origin;
  }

  /** Times of commits that came to a node; some of them never became durable. */
  get all(): readonly number[] {
    return [...this.#times.values()];
  }

  /** `nowMs`: on the clock of the node, when the commit came to it. */
  add(history: string, previous: string, nowMs: number): void {
    this.#times.set(history, Math.max(nowMs, this.of(previous) + 1));
  }

  /** Milliseconds since 1970; 0 where there is no commit. */
  of(history: string): number {
    return this.#times.get(history) ?? this.#origin?.of(history) ?? 0;
  }
}
