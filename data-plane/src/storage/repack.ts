/**
 * Copies fragments of many databases, sealed as they are, out of log objects and packs into one new pack each time it is
 * called. What is copied is checked first: that it is what the location says, and that fragments that follow each other
 * name each other. A damaged copy must not replace a good original.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import { Turns, type Work } from '../turns.js';
import { conditionalWrite } from './conditional-write.js';
import { decodeFragmentHeader } from './fragment.js';
import { packedLocation, type FragmentLocation } from './log-location.js';
import { hashing } from './long-buffers.js';
import { packName } from './object-names.js';
import { encodePack, type PackRun } from './pack.js';
import { readLocations } from './read-locations.js';
import { containerName, type TailStores } from './tail.js';

/** Unfolded fragments of one database, next to each other in its history. */
export interface PackSource {
  readonly database: DatabaseId;
  readonly term: number;
  /** At least one. */
  readonly locations: readonly FragmentLocation[];
  /** Fragments up to this commit need not be copied; at least one lies above it. */
  readonly foldedCommit: number;
}

/** A source, and where in the new pack all of it lies now. */
export interface Repacked {
  readonly source: PackSource;
  readonly location: FragmentLocation;
}

/**
 * Stores pack number `number` of this epoch, which has none of that number. Throws `STORE_OBJECT_MISSING` or
 * `STORE_OBJECT_CORRUPT` when a source cannot be copied, and `STORE_UNAVAILABLE`; then the pack may exist or not.
 */
export async function repack(
  stores: TailStores,
  epoch: NodeEpoch,
  number: number,
  sources: readonly PackSource[],
): Promise<{ bytes: number; repacked: Repacked[] }> {
  const sorted = [...sources].sort((a, b) => (a.database < b.database ? -1 : a.database > b.database ? 1 : 0));
  const found = await readLocations(
    stores,
    epoch,
    sorted.flatMap(({ locations }) => locations),
  );
  const turns = new Turns(stores.runtime, 'background');
  const runs: PackRun[] = [];
  for (const source of sorted) {
    const where = containerName(stores, epoch, source.locations[0] as FragmentLocation);
    const fragments = source.locations.flatMap((location) => found.get(location) ?? []);
    runs.push(await turns.run(checkingRun(where, source, fragments)));
  }
  const { bytes, index } = await turns.run(encodePack(runs));
  const key = packName(epoch, number);
  const written = await conditionalWrite(stores.runtime, stores.dataStore, key, bytes, { ifAbsent: true });
  if (!written.won) throw new Error(`pack ${key} was written by someone else`);
  const repacked = sorted.map((source, at) => ({
    source,
    location: packedLocation(number, index[at] as (typeof index)[number]),
  }));
  return { bytes: bytes.length, repacked };
}

function* checkingRun(where: string, source: PackSource, fragments: readonly Buffer[]): Work<PackRun> {
  const { database, term, locations, foldedCommit } = source;
  const kept: Buffer[] = [];
  let firstCommit = 0;
  let lastCommit = 0;
  for (const fragment of fragments) {
    const header = decodeFragmentHeader(where, fragment);
    if (header.lastCommit <= Math.max(foldedCommit, lastCommit)) continue;
    const before = kept.at(-1);
    const follows =
      header.database === database &&
      header.term === term &&
      (!before || (header.firstCommit === lastCommit + 1 && header.previous.equals(yield* hashing(before))));
    if (!follows) {
      throw new ByocError(
        'STORE_OBJECT_CORRUPT',
        `fragments of database ${database} from ${where} on do not follow each other and are not copied`,
      );
    }
    if (!before) firstCommit = header.firstCommit;
    lastCommit = header.lastCommit;
    kept.push(fragment);
  }
  if (lastCommit !== locations.at(-1)?.[4]) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `${where} does not hold what is listed of database ${database}`);
  }
  return { database, term, firstCommit, lastCommit, fragments: kept };
}
