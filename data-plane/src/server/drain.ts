import type { Runtime } from '../runtime.js';

/** Counts the requests being answered, so that a server can stop without cutting one off. */
export class Drain {
  #running = 0;
  #closing = false;
  #onEmpty: (() => void) | undefined;

  /** True from the moment the server began to stop: new requests are refused, connections are not kept. */
  get closing(): boolean {
    return this.#closing;
  }

  get running(): number {
    return this.#running;
  }

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#onEmpty?.();
  }

  /** Begins to refuse; resolves when nothing runs any more, or with false when that takes longer than `timeoutMs`. */
  async close(runtime: Pick<Runtime, 'schedule'>, timeoutMs: number): Promise<boolean> {
    this.#closing = true;
    if (this.#running === 0) return true;
    return new Promise((resolve) => {
      const cancel = runtime.schedule(timeoutMs, () => resolve(false));
      this.#onEmpty = () => {
        cancel();
        resolve(true);
      };
    });
  }
}
