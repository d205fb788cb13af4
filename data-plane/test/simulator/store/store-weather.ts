import type { Machine } from '../world/machine.js';

/** What is wrong with one store at the moment, for everybody or for some. */
export class StoreWeather {
  /** Nobody reaches it. */
  isDown = false;
  /** Nobody ever will again. */
  isLost = false;
  /** In percent of the requests: 503, on top of what the profile says. */
  stormPercent = 0;
  /** All requests take this many times as long. */
  slowness = 1;
  readonly #cutOff = new Set<Machine>();
  /** From now on nothing fails by itself either. */
  isHealed = false;

  cut(machine: Machine): void {
    this.#cutOff.add(machine);
  }

  reconnect(machine: Machine): void {
    this.#cutOff.delete(machine);
  }

  reaches(machine: Machine): boolean {
    return !this.isDown && !this.isLost && !this.#cutOff.has(machine);
  }

  heal(): void {
    this.isDown = false;
    this.stormPercent = 0;
    this.slowness = 1;
    this.#cutOff.clear();
    this.isHealed = true;
  }
}
