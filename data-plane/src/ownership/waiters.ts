import type { Runtime } from '../runtime.js';

interface Waiter {
  readonly cancel: () => void;
  readonly resolve: (isTold: boolean) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Those who wait to be told that something has changed, each for a limited time. Nothing is kept of one whose time is over,
 * however long the change is in coming.
 */
export class Waiters {
  readonly #runtime: Runtime;
  readonly #waiting = new Set<Waiter>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with true when `tell` is called, with false after `ms`; rejects with what `refuse` is given. */
  async told(ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const cancel = this.#runtime.schedule(ms, () => {
        this.#waiting.delete(waiter);
        resolve(false);
      });
      const waiter = { cancel, resolve, reject };
      this.#waiting.add(waiter);
    });
  }

  tell(): void {
    for (const { resolve } of this.#takeAll()) resolve(true);
  }

  refuse(error: Error): void {
    for (const { reject } of this.#takeAll()) reject(error);
  }

  #takeAll(): Waiter[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const { cancel } of all) cancel();
    return all;
  }
}
