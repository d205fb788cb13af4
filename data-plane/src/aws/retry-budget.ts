/** Retries that may be saved up. */
const capacity = 100;
/** What an operation that needed no retry adds. */
const perSuccess = 0.1;

/**
 * How many retries a store may still be sent: each takes one, each success gives a tenth back. Without it, a store that
 * answers nothing any more would be asked three times as often as one that works.
 */
export class RetryBudget {
  #left = capacity;

  /** Whether one more retry may be sent; takes it. */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  succeeded(): void {
    this.#left = Math.min(capacity, this.#left + perSuccess);
  }
}
