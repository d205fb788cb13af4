/**
 * What this epoch logged and no generation has folded in yet, by database. It outlives an open database: a closed one
 * reopens from its generation, its tail and these. At the end of the epoch it is the epoch's recovery record.
 *
 * Invariant: what is listed here, and what somebody held when it was listed, is not deleted: the low-water mark and the
 * packs that are named follow from it.
 */
import type { DatabaseId } from '../identity.js';
import type { LoggedTerm } from '../ownership/recovered-databases.js';
import type { UnfoldedDatabase, UnfoldedLog } from '../ownership/unfolded-log.js';
import { packOf, type FragmentLocation } from '../storage/log-location.js';

interface UnfoldedTerm {
  readonly term: number;
  fragments: FragmentLocation[];
  bytes: number;
  foldedCommit: number;
}

/** A list of fragments that stay readable until `release`, whatever is folded or packed meanwhile. */
export interface HeldFragments {
  readonly fragments: readonly FragmentLocation[];
  readonly bytes: number;
  readonly release: () => void;
}

const none = { fragments: [], bytes: 0 } as const;

export class UnfoldedFragments implements UnfoldedLog {
  readonly #databases = new Map<DatabaseId, UnfoldedTerm>();
  readonly #held = new Set<readonly FragmentLocation[]>();

  /** Notes a durable fragment. A database has one term per epoch at a time; a new term starts anew. */
  add(database: DatabaseId, term: number, fragment: FragmentLocation): void {
    const known = this.#databases.get(database);
    if (known?.term === term) {
      known.fragments.push(fragment);
      known.bytes += fragment[2];
    } else {
      this.#databases.set(database, { term, fragments: [fragment], bytes: fragment[2], foldedCommit: 0 });
    }
  }

  /** For a look; whoever goes on to read what the list names uses `hold`. */
  of(database: DatabaseId, term: number): { readonly fragments: readonly FragmentLocation[]; readonly bytes: number } {
    const known = this.#databases.get(database);
    return known?.term === term ? known : none;
  }

  /** Of all databases together. */
  get total(): { readonly fragments: number; readonly bytes: number } {
    let fragments = 0;
    let bytes = 0;
    for (const unfolded of this.#databases.values()) {
      fragments += unfolded.fragments.length;
      bytes += unfolded.bytes;
    }
    return { fragments, bytes };
  }

  hold(database: DatabaseId, term: number): HeldFragments {
    const { fragments, bytes } = this.of(database, term);
    // A copy of its own: the same database may be held twice, and the list goes on growing.
    const held = [...fragments];
    this.#held.add(held);
    return { fragments: held, bytes, release: () => void this.#held.delete(held) };
  }

  /** Forgets what a generation up to and including `commit` holds. */
  folded(database: DatabaseId, commit: number): void {
    const known = this.#databases.get(database);
    if (!known) return;
    known.foldedCommit = Math.max(known.foldedCommit, commit);
    this.#replace(
      database,
      known,
      known.fragments.filter(([, , , , last]) => last > commit),
    );
  }

  forget(database: DatabaseId): void {
    this.#databases.delete(database);
  }

  lowestPosition(): number | undefined {
    return lowest(Array.from(this.#databases.values(), ({ fragments }) => fragments));
  }

  lowestHeldPosition(): number | undefined {
    return lowest(this.#held);
  }

  packs(): Set<number> {
    return packsIn(Array.from(this.#databases.values(), ({ fragments }) => fragments));
  }

  heldPacks(): Set<number> {
    return packsIn(this.#held);
  }

  *databases(): Generator<UnfoldedDatabase> {
    for (const [database, unfolded] of this.#databases) yield { database, ...unfolded };
  }

  relocate(database: DatabaseId, term: number, from: ReadonlySet<FragmentLocation>, to: FragmentLocation): void {
    const known = this.#databases.get(database);
    if (known?.term !== term) return;
    const at = known.fragments.findIndex((location) => from.has(location));
    if (at < 0) return;
    const rest = known.fragments.filter((location) => !from.has(location));
    this.#replace(database, known, [...rest.slice(0, at), to, ...rest.slice(at)]);
  }

  /** As it is now, in the shape of a recovery record. */
  byDatabase(): (readonly [DatabaseId, readonly LoggedTerm[]])[] {
    return Array.from(this.#databases, ([database, { term, fragments }]) => [database, [{ term, fragments }]] as const);
  }

  #replace(database: DatabaseId, known: UnfoldedTerm, fragments: FragmentLocation[]): void {
    known.fragments = fragments;
    known.bytes = fragments.reduce((sum, [, , length]) => sum + length, 0);
    if (fragments.length === 0) this.#databases.delete(database);
  }
}

function lowest(lists: Iterable<readonly FragmentLocation[]>): number | undefined {
  let lowest: number | undefined;
  for (const fragments of lists) {
    // In commit order: what is in the log follows what is in packs, and its positions rise.
    const first = fragments.find((location) => packOf(location) === undefined)?.[0];
    if (first !== undefined && (lowest === undefined || first < lowest)) lowest = first;
  }
  return lowest;
}

function packsIn(lists: Iterable<readonly FragmentLocation[]>): Set<number> {
  const packs = new Set<number>();
  for (const fragments of lists) {
    for (const location of fragments) {
      const pack = packOf(location);
      if (pack !== undefined) packs.add(pack);
    }
  }
  return packs;
}
