import type { Runtime } from '../../runtime.js';

const collectAfterMs = 1_000;
const collectAtOnce = 256;

/**
 * Collects garbage a moment after connections were closed: the libSQL binding frees the memory and the file descriptors
 * of a closed connection only then, and nothing tells the collector how much a few small objects hold on to.
 */
export class NativeMemory {
  readonly #runtime: Runtime;
  readonly #collect: (() => void) | undefined;
  #closed = 0;
  #cancel: (() => void) | undefined;

  /** `collect` is the process's `gc` function, or undefined when it was started without `--expose-gc`. */
  constructor(runtime: Runtime, collect: (() => void) | undefined) {
    this.#runtime = runtime;
    this.#collect = collect;
  }

  /** To be called for each connection that was closed. */
  noteClosed(): void {
    if (!this.#collect) return;
    this.#closed++;
    if (this.#closed >= collectAtOnce) {
      this.#cancel?.();
      this.#cancel = this.#runtime.schedule(0, () => this.collectNow());
      this.#closed = 0;
      return;
    }
    this.#cancel ??= this.#runtime.schedule(collectAfterMs, () => this.collectNow());
  }

  collectNow(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#closed = 0;
    this.#collect?.();
  }
}
