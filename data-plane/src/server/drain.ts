/** Counts the requests being answered, so that a server can stop without cutting one off. */
export class Drain {
  #running = 0;
  #closing = false;
  #onEmpty: (() => void) | undefined;

  /** True from the moment the server began to stop: new requests are refused, connections are not kept. */
  get closing(): boolean {
    return this.#closing;
  }

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#onEmpty?.();
  }

  /** Begins to refuse; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }
}
