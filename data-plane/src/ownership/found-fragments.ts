/**
 * What a recoverer finds of an ended epoch, in packs and in the log, in any order. The same commits can lie in several
 * places: in a log object and in the pack it was copied to, in a pack and in the one it was merged into.
 *
 * There may be very many. So what was found of a database is one list of numbers, not an object for each fragment.
 */
import type { DatabaseId } from '../identity.js';
import { uuidBytes, uuidText } from '../storage/fragment.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { IndexedFragment, StoredIndex } from '../storage/log-object.js';
import type { Work } from '../turns.js';
import type { LoggedTerm } from './recovered-databases.js';

/** Numbers of one fragment: term, then its location. */
const width = 6;
/** Noting one fragment takes about as long as encrypting that many bytes. */
const notingCost = 160;

export class FoundFragments {
  /** By the bytes of the database's id, a character for each. */
  readonly #found = new Map<string, number[]>();

  /** Notes all that the index of a pack, or of any container, lists; `place` as in a location. */
  *addIndex(index: StoredIndex, place: number): Work<void> {
    for (let entry = 0; entry < index.size; entry++) {
      this.#listOf(index.databaseKey(entry)).push(
        index.term(entry),
        place,
        index.offset(entry),
        index.length(entry),
        index.firstCommit(entry),
        index.lastCommit(entry),
      );
      yield notingCost;
    }
  }

  /** Notes a fragment of the log. */
  add({ database, term }: IndexedFragment, location: FragmentLocation): void {
    this.#listOf(uuidBytes(database).toString('latin1')).push(term, ...location);
  }

  /** Every commit that was found, in order, in as few places as need be. */
  *byDatabase(): Generator<readonly [DatabaseId, readonly LoggedTerm[]]> {
    for (const [key, numbers] of this.#found) yield [uuidText(Buffer.from(key, 'latin1')), byTerm(numbers)];
  }

  #listOf(key: string): number[] {
    const known = this.#found.get(key);
    if (known) return known;
    const list: number[] = [];
    this.#found.set(key, list);
    return list;
  }
}

function byTerm(numbers: readonly number[]): LoggedTerm[] {
  const terms = new Map<number, FragmentLocation[]>();
  for (let at = 0; at < numbers.length; at += width) {
    const [term, ...location] = numbers.slice(at, at + width) as [number, ...FragmentLocation];
    const locations = terms.get(term);
    if (locations) locations.push(location);
    else terms.set(term, [location]);
  }
  return Array.from(terms, ([term, locations]) => ({ term, fragments: inOrder(locations) }));
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
