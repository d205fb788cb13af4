/** Lets through so many calls a minute, and as many at once after a pause. */
export class TokenBucket {
  #level: number;
  #filledAtMs: number;

  constructor(
    readonly perMinute: number,
    nowMs: number,
  ) {
    this.#level = perMinute;
    this.#filledAtMs = nowMs;
  }

  /** Undefined when the call may go on; otherwise the milliseconds after which one may. */
  take(nowMs: number): number | undefined {
    const gained = (Math.max(0, nowMs - this.#filledAtMs) * this.perMinute) / 60_000;
    this.#level = Math.min(this.perMinute, this.#level + gained);
    this.#filledAtMs = nowMs;
    if (this.#level >= 1) {
      this.#level -= 1;
      return undefined;
    }
    return Math.ceil(((1 - this.#level) * 60_000) / this.perMinute);
  }
}
