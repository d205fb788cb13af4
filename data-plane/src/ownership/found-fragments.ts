import type { DatabaseId } from '../identity.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { IndexedFragment } from '../storage/log-object.js';
import type { Work } from '../turns.js';
import type { LoggedTerm } from './recovered-databases.js';

interface FoundTerm extends LoggedTerm {
  readonly fragments: FragmentLocation[];
}

/** Noting one fragment takes about as long as encrypting that many bytes. */
const notingCost = 256;

/**
 * What a recoverer finds of an ended epoch, in packs and in the log, in any order. The same commits can lie in several
 * places: in a log object and in the pack it was copied to, in a pack and in the one it was merged into.
 */
export class FoundFragments {
  readonly #found = new Map<DatabaseId, FoundTerm[]>();

  /** Notes all that an index lists; `locate` says where each lies. */
  *add(index: Iterable<IndexedFragment>, locate: (fragment: IndexedFragment) => FragmentLocation): Work<void> {
    for (const fragment of index) {
      this.#add(fragment, locate(fragment));
      yield notingCost;
    }
  }

  /** Every commit that was found, in order, in as few places as need be. */
  *byDatabase(): Generator<readonly [DatabaseId, readonly LoggedTerm[]]> {
    for (const [database, terms] of this.#found) {
      yield [database, terms.map(({ term, fragments }) => ({ term, fragments: inOrder(fragments) }))];
    }
  }

  #add({ database, term }: IndexedFragment, location: FragmentLocation): void {
    const terms = this.#found.get(database);
    const known = terms?.find((one) => one.term === term);
    if (known) known.fragments.push(location);
    else if (terms) terms.push({ term, fragments: [location] });
    else this.#found.set(database, [{ term, fragments: [location] }]);
  }
}

function inOrder(locations: FragmentLocation[]): FragmentLocation[] {
  if (locations.length === 1) return locations;
  locations.sort((a, b) => a[3] - b[3] || b[4] - a[4]);
  let lastCommit = 0;
  return locations.filter(([, , , , last]) => {
    if (last <= lastCommit) return false;
    lastCommit = last;
    return true;
  });
}
