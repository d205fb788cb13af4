/**
 * A task is the execution of one request as a generator. It yields between statements and every few rows, so that one
 * thread can serve many requests fairly:
 *
 * - yielding nothing means "somebody else may run now";
 * - yielding a signal means "do not resume me before this is raised".
 *
 * A task must not yield inside a `finally` block: when its database closes it is ended with `return()`.
 */
export type Pause = Signal | undefined;
export type Task<Result = void> = Generator<Pause, Result, void>;

/** What a parked task waits for. It is raised once; raising it again does nothing. */
export class Signal {
  #raised = false;
  readonly #listeners: (() => void)[] = [];

  get raised(): boolean {
    return this.#raised;
  }

  raise(): void {
    if (this.#raised) return;
    this.#raised = true;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` when the signal is raised; for the scheduler, before that happened. */
  listen(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
