/**
 * Counts the requests being answered, so that a server can stop without cutting one off.
 *
 * A server leaves in two steps. `leaving`: requests are answered as ever, but every answer asks its client to take another
 * connection next time. `closing`: what still comes is refused.
 */
export class Drain {
  #running = 0;
  #state: 'open' | 'leaving' | 'closing' = 'open';
  #onEmpty: (() => void) | undefined;
  readonly #onLeave: (() => void)[] = [];

  /** Requests that are being answered. */
  get running(): number {
    return this.#running;
  }

  get state(): 'open' | 'leaving' | 'closing' {
    return this.#state;
  }

  /** True from the moment the server began to leave: connections are not kept. */
  get isLeaving(): boolean {
    return this.#state !== 'open';
  }

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#onEmpty?.();
  }

  /** Answers go on, connections end with the next one. */
  beginToLeave(): void {
    if (this.#state !== 'open') return;
    this.#state = 'leaving';
    for (const run of this.#onLeave) run();
  }

  /** `run` is called when the server begins to leave. */
  onLeave(run: () => void): void {
    this.#onLeave.push(run);
  }

  /** Begins to refuse; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.beginToLeave();
    this.#state = 'closing';
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }
}
