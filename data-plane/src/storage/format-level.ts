/**
 * The format level: one number for a whole deployment that says which versions of the stored formats may be written.
 *
 * Invariant: at level L everything that is stored can be read by every release whose newest level is at least L. A node
 * writes only what the present level allows, and the level is raised only when every living node reads the new one
 * (`ownership/raise-format-level.ts`). It never falls: what was written at a level stays.
 *
 * A release reads the versions of all levels up to its newest. What it does not know it refuses by name.
 */

/** Before any format had a second version. */
export const oldestFormatLevel = 1;

/** The highest level that this release reads and writes. Raised by one in a release that changes a stored format. */
export const newestFormatLevel: number = 1;

/** Where a new deployment begins: with what the release before this one reads, so that it can be rolled back, too. */
export const firstFormatLevel = Math.max(oldestFormatLevel, newestFormatLevel - 1);

/** What one node knows of the deployment's level. It may lag behind, which is harmless: the older versions stay readable. */
export class FormatLevel {
  #current: number;

  constructor(level: number = oldestFormatLevel) {
    this.#current = level;
  }

  get current(): number {
    return this.#current;
  }

  /**
   * The level is at least this high: it was read, or an object was met that is written only from this level on. Whoever
   * replaces that object must not write an older version of it, which could not hold all that is in it.
   */
  learn(level: number): void {
    this.#current = Math.max(this.#current, level);
  }
}
