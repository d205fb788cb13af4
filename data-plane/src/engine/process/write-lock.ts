import { Signal } from './task.js';

/**
 * The one write lock of a database, handed over first come, first served. The engines' own lock is never waited for
 * (they would block the thread), so whoever may write holds this one first.
 */
export class WriteLock {
  #holder: object | undefined;
  readonly #waiting: { readonly owner: object; readonly signal: Signal }[] = [];

  isHeldBy(owner: object): boolean {
    return this.#holder === owner;
  }

  get isHeld(): boolean {
    return this.#holder !== undefined;
  }

  /**
   * Takes the lock if it is free (or already held by `owner`) and returns undefined; otherwise queues the owner and
   * returns a signal. A raised signal says "look again": `isHeldBy` tells whether the lock was handed over.
   */
  acquire(owner: object): Signal | undefined {
    if (this.#holder === owner) return undefined;
    if (!this.#holder) {
      this.#holder = owner;
      return undefined;
    }
    const signal = new Signal();
    this.#waiting.push({ owner, signal });
    return signal;
  }

  /** Gives up waiting or, when `owner` holds the lock, hands it to the next in the queue. */
  release(owner: object): void {
    if (this.#holder !== owner) {
      const position = this.#waiting.findIndex((waiter) => waiter.owner === owner);
      if (position >= 0) this.#waiting.splice(position, 1);
      return;
    }
    const next = this.#waiting.shift();
    this.#holder = next?.owner;
    next?.signal.raise();
  }
}
