/**
 * Which packs are merged when. Packs that were made at one time form a group; a merge turns all groups of one level into
 * one group of the next, so there are few groups, and a database has one run in each at the most: what is read to open it
 * or to recover it is bounded by the logarithm of what is unfolded, and every fragment is copied once per level.
 *
 * Invariant: everything in a level is older than everything in the levels below it, so that the runs of a database which
 * a merge joins are next to each other in its history.
 */
export class PackLevels {
  readonly #fanOut: number;
  /** Groups by level, oldest first. */
  readonly #levels: Set<number>[][] = [];

  /** A merge is due when a level has `fanOut` groups. */
  constructor(fanOut: number) {
    this.#fanOut = fanOut;
  }

  /** Notes the packs that one step made; level 0 is what comes from the log. */
  add(level: number, packs: readonly number[]): void {
    if (packs.length > 0) this.#groups(level).push(new Set(packs));
  }

  /** Keeps only the packs that are still used. */
  keep(used: ReadonlySet<number>): void {
    for (const [level, groups] of this.#levels.entries()) {
      for (const group of groups) for (const pack of group) if (!used.has(pack)) group.delete(pack);
      this.#levels[level] = groups.filter((group) => group.size > 0);
    }
  }

  /** The lowest level that is due to be merged, with all its packs; to be merged into the level above. */
  due(): { readonly level: number; readonly packs: ReadonlySet<number> } | undefined {
    const level = this.#levels.findIndex((groups) => groups.length >= this.#fanOut);
    if (level < 0) return undefined;
    return { level, packs: new Set(this.#groups(level).flatMap((group) => [...group])) };
  }

  /** The groups of `level` are merged into one of the next. */
  merged(level: number, packs: readonly number[]): void {
    this.#levels[level] = [];
    this.add(level + 1, packs);
  }

  #groups(level: number): Set<number>[] {
    while (this.#levels.length <= level) this.#levels.push([]);
    return this.#levels[level] as Set<number>[];
  }
}
