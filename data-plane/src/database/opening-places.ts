/**
 * How many databases are being opened at once. Opening takes processor time: when very many are asked for at the same time,
 * after another node died for example, and all were opened side by side, all of them would be ready late. So they are opened
 * in the order in which they were asked for. One that takes long waits for something else, a store or a key service, and
 * makes room for the others.
 */
import type { Runtime } from '../runtime.js';

export interface OpeningPlacesOptions {
  readonly runtime: Runtime;
  /** Openings at once. */
  readonly places: number;
  /** An opening keeps its place for so long at the most. */
  readonly longestMs: number;
}

export class OpeningPlaces {
  readonly #options: OpeningPlacesOptions;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(options: OpeningPlacesOptions) {
    this.#options = options;
  }

  /** Runs `open` when there is a place for it. */
  async run<T>(open: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#options.places) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let isLeft = false;
    const leave = (): void => {
      if (isLeft) return;
      isLeft = true;
      // The place goes to the next one as it is: nobody who comes now is faster.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken -= 1;
    };
    const cancel = this.#options.runtime.schedule(this.#options.longestMs, leave);
    try {
      return await open();
    } finally {
      cancel();
      leave();
    }
  }
}
