import type { DatabaseId } from '../identity.js';
import type { FragmentLocation } from '../storage/log-location.js';

interface UnfoldedTerm {
  readonly term: number;
  fragments: FragmentLocation[];
  bytes: number;
}

/**
 * What this epoch logged and no generation has folded in yet, by database. It outlives an open database: a closed one
 * reopens from its generation, its tail and these. At the end of the epoch it is the epoch's recovery record.
 */
export class UnfoldedFragments {
  readonly #databases = new Map<DatabaseId, UnfoldedTerm>();

  /** Notes a durable fragment. A database has one term per epoch at a time; a new term starts anew. */
  add(database: DatabaseId, term: number, fragment: FragmentLocation): void {
    const known = this.#databases.get(database);
    if (known?.term === term) {
      known.fragments.push(fragment);
      known.bytes += fragment[2];
    } else {
      this.#databases.set(database, { term, fragments: [fragment], bytes: fragment[2] });
    }
  }

  of(database: DatabaseId, term: number): { readonly fragments: readonly FragmentLocation[]; readonly bytes: number } {
    const known = this.#databases.get(database);
    return known?.term === term ? known : { fragments: [], bytes: 0 };
  }

  /** Forgets what a generation up to and including `commit` holds. */
  folded(database: DatabaseId, commit: number): void {
    const known = this.#databases.get(database);
    if (!known) return;
    known.fragments = known.fragments.filter(([, , , , last]) => last > commit);
    known.bytes = known.fragments.reduce((sum, [, , length]) => sum + length, 0);
    if (known.fragments.length === 0) this.#databases.delete(database);
  }

  forget(database: DatabaseId): void {
    this.#databases.delete(database);
  }

  /** The lowest log position that is still needed, or undefined when none is. */
  lowestPosition(): number | undefined {
    let lowest: number | undefined;
    for (const { fragments } of this.#databases.values()) {
      const first = fragments[0]?.[0];
      if (first !== undefined && (lowest === undefined || first < lowest)) lowest = first;
    }
    return lowest;
  }

  /** In the shape of a recovery record. */
  byDatabase(): Record<DatabaseId, { term: number; fragments: readonly FragmentLocation[] }[]> {
    return Object.fromEntries(
      [...this.#databases].map(([database, { term, fragments }]) => [database, [{ term, fragments }]]),
    );
  }
}
