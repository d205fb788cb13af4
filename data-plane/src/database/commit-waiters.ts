/**
 * Who waits for something newer than what he has. A waiter holds nothing of the database: it may be closed, folded or
 * handed over meanwhile, and whoever waits then is told at once.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { onAbort } from './abort-listeners.js';

/** `newer`: there is a newer commit. `nothing`: time is over, the client has gone, or the database is leaving. */
export type WaitEnd = 'newer' | 'nothing';

interface Waiter {
  readonly commit: number;
  readonly end: (end: WaitEnd) => void;
}

export class CommitWaiters {
  readonly #runtime: Pick<Runtime, 'schedule'>;
  readonly #most: number;
  readonly #waiters = new Set<Waiter>();
  #isOver = false;

  /** `most`: so many may wait at the same time. */
  constructor(runtime: Pick<Runtime, 'schedule'>, most: number) {
    this.#runtime = runtime;
    this.#most = most;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Resolves when a commit after `commit` was announced, or nothing will come of it. Throws `OVERLOADED`. */
  async wait(commit: number, timeoutMs: number, signal: AbortSignal): Promise<WaitEnd> {
    if (this.#isOver || timeoutMs <= 0 || signal.aborted) return 'nothing';
    if (this.#waiters.size >= this.#most) {
      throw new ByocError('OVERLOADED', `${this.#most} clients wait for changes of this database already`);
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        commit,
        end: (end) => {
          if (!this.#waiters.delete(waiter)) return;
          cancel();
          unlisten();
          resolve(end);
        },
      };
      this.#waiters.add(waiter);
      const cancel = this.#runtime.schedule(timeoutMs, () => waiter.end('nothing'));
      const unlisten = onAbort(signal, () => waiter.end('nothing'));
    });
  }

  /** There is this commit, and it is durable. */
  advance(commit: number): void {
    for (const waiter of this.#waiters) if (waiter.commit < commit) waiter.end('newer');
  }

  /** Nobody waits here any more. */
  end(): void {
    this.#isOver = true;
    for (const waiter of this.#waiters) waiter.end('nothing');
  }
}
