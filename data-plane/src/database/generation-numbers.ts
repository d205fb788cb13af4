/**
 * Numbers for the generations that this epoch makes, of whatever database. None is given twice: a fold that failed may have
 * left objects under its number, and the next attempt, of this or another instance of the database, has other bytes.
 */
export class GenerationNumbers {
  #last = 0;

  /** `present`: the number of the database's generation, 0 when it has none. */
  next(present: number): number {
    this.#last = Math.max(this.#last, present) + 1;
    return this.#last;
  }
}
