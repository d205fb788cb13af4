/**
 * Reads the fragments that follow a generation, from the logs of one or more epochs, in commit order. A gap, a fragment
 * of another database or term, or one that does not name its predecessor is an error: a database is restored to exactly
 * its last acknowledged state or not at all.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readWithRetry } from './conditional-write.js';
import { decodeFragment, decodeFragmentHeader, fragmentDigest, type Commit, type FragmentDigest } from './fragment.js';
import { containerName, packOf, type FragmentLocation, type LogRange } from './log-location.js';
import { fragmentsOfRun } from './pack.js';

/** The state that a fragment follows. */
export interface ChainPoint {
  readonly commit: number;
  readonly commitTimeMs: number;
  readonly chainDigest: FragmentDigest;
}

export interface TailFragment {
  readonly bytes: Buffer;
  readonly commits: readonly Commit[];
  /** The chain after this fragment. */
  readonly after: ChainPoint;
}

/** Where logged fragments lie: log objects in one store, packs in the other. */
export interface TailStores {
  readonly dataStore: ObjectStore;
  readonly logStore: ObjectStore;
}

/** Read at once: so many locations, or so many bytes if that is less; one location always. */
const parallelReads = 64;
const parallelBytes = 16 * 2 ** 20;

interface Wanted {
  readonly key: string;
  readonly term: number;
  readonly location: FragmentLocation;
}

/** Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming the log object or pack. */
export async function* readTail(
  runtime: Runtime,
  stores: TailStores,
  sealer: Sealer,
  database: DatabaseId,
  from: ChainPoint,
  ranges: readonly LogRange[],
): AsyncGenerator<TailFragment, ChainPoint> {
  const wanted = ranges.flatMap(({ epoch, term, fragments }) =>
    fragments
      .filter(([, , , , lastCommit]) => lastCommit > from.commit)
      .map((location): Wanted => ({ key: containerName(epoch, location), term, location })),
  );
  let point = from;
  for (const batch of batches(wanted)) {
    const found = await Promise.all(batch.map(({ key, location }) => readLocated(runtime, stores, key, location)));
    for (const [index, { key, term, location }] of batch.entries()) {
      for (const bytes of found[index] ?? []) {
        const header = decodeFragmentHeader(key, bytes);
        // A run may begin with what is folded in, or with what the location before it holds as well.
        if (packOf(location) !== undefined && header.lastCommit <= point.commit) continue;
        const follows =
          header.database === database &&
          header.term === term &&
          header.firstCommit === point.commit + 1 &&
          header.previous.equals(point.chainDigest);
        if (!follows) {
          throw new ByocError(
            'STORE_OBJECT_CORRUPT',
            `the fragment in ${key} does not follow commit ${point.commit} of database ${database}`,
          );
        }
        const commits = decodeFragment(sealer, key, bytes);
        const last = commits.at(-1) as Commit;
        point = { commit: last.number, commitTimeMs: last.timeMs, chainDigest: fragmentDigest(bytes) };
        yield { bytes, commits, after: point };
      }
      if (point.commit < location[4]) {
        throw new ByocError('STORE_OBJECT_CORRUPT', `${key} ends at commit ${point.commit}, before ${location[4]}`);
      }
    }
  }
  return point;
}

function* batches(wanted: readonly Wanted[]): Generator<readonly Wanted[]> {
  for (let start = 0, end = 0; start < wanted.length; start = end) {
    let bytes = 0;
    do bytes += wanted[end++]?.location[2] ?? 0;
    while (end < wanted.length && end - start < parallelReads && bytes < parallelBytes);
    yield wanted.slice(start, end);
  }
}

/** The fragments at a location, in order. */
async function readLocated(
  runtime: Runtime,
  stores: TailStores,
  key: string,
  location: FragmentLocation,
): Promise<Buffer[]> {
  const bytes = await readContainer(runtime, stores, key, location);
  return packOf(location) === undefined ? [bytes] : fragmentsOfRun(key, bytes);
}

/**
 * The bytes that a location names in the object `key`, its container. Throws `STORE_OBJECT_MISSING` or
 * `STORE_OBJECT_CORRUPT`, naming the object.
 */
export async function readContainer(
  runtime: Runtime,
  { dataStore, logStore }: TailStores,
  key: string,
  location: FragmentLocation,
): Promise<Buffer> {
  const [, offset, length] = location;
  const isPacked = packOf(location) !== undefined;
  const store = isPacked ? dataStore : logStore;
  const bytes = await readWithRetry(runtime, key, () => store.getRange(key, offset, length));
  const what = isPacked ? `pack ${key}` : `log object ${key}`;
  if (!bytes) throw new ByocError('STORE_OBJECT_MISSING', `${what} is missing`);
  if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `${what} is truncated`);
  return bytes;
}
