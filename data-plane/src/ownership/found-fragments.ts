import type { DatabaseId } from '../identity.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { IndexedFragment } from '../storage/log-object.js';
import type { RecoveryRecord } from './recovery-record.js';

/**
 * What a recoverer finds of an ended epoch, in packs and in the log, in any order. The same commits can lie in several
 * places: in a log object and in the pack it was copied to, in a pack and in the one it was merged into.
 */
export class FoundFragments {
  readonly #found = new Map<DatabaseId, Map<number, FragmentLocation[]>>();

  add({ database, term }: IndexedFragment, location: FragmentLocation): void {
    const terms = this.#found.get(database);
    if (!terms) {
      this.#found.set(database, new Map([[term, [location]]]));
      return;
    }
    const locations = terms.get(term);
    if (locations) locations.push(location);
    else terms.set(term, [location]);
  }

  /** Every commit that was found, in order, in as few places as need be; in the shape of a recovery record. */
  byDatabase(): RecoveryRecord['databases'] {
    const databases: Record<DatabaseId, { term: number; fragments: readonly FragmentLocation[] }[]> = {};
    for (const [database, terms] of this.#found) {
      databases[database] = [...terms].map(([term, locations]) => ({ term, fragments: inOrder(locations) }));
    }
    return databases;
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
