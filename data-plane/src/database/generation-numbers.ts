/**
 * The numbers of the generations that this node makes. An attempt to fold may fail with its objects stored, or stored later
 * still, and whoever opens the database anew knows nothing of it: so no number is given out twice, whatever the database.
 */
export class GenerationNumbers {
  #last = 0;

  /** A number above `base`, that of the generation to start from (0 for none), and above all that were given out. */
  next(base: number): number {
    this.#last = Math.max(this.#last, base) + 1;
    return this.#last;
  }
}
