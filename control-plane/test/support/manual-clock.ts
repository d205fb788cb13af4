import type { Clock } from '../../src/clock.js';

/** A clock that stands still; sleeping moves it. */
export class ManualClock implements Clock {
  /** How long each sleep was. */
  readonly sleeps: number[] = [];

  constructor(public nowMs = 1_700_000_000_000) {}

  now(): number {
    return this.nowMs;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(milliseconds);
    this.nowMs += milliseconds;
  }
}
