/**
 * A pack: what was still unfolded of a run of old log objects, copied into one object of the data store, sealed as it was,
 * so that the log objects can be deleted although databases with a trickle of writes are not folded yet. It is sorted by
 * database, and the fragments of one database and term that follow each other are one run: one entry of the index, one
 * location, one read.
 *
 * Pack: magic and index as in a log object, then the runs. Run: for each fragment u32 length and the fragment.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns, type Work } from '../turns.js';
import { readWithRetry } from './conditional-write.js';
import { layOutLogObject, packMagic, readIndex, type IndexedFragment, type StoredIndex } from './log-object.js';
import { copying } from './long-buffers.js';

const lengthBytes = 4;
/** Indexes of up to some thousand runs are read at once. */
const firstReadBytes = 256 * 1024;

/** Consecutive fragments of one database and term, at least one. */
export interface PackRun {
  readonly database: DatabaseId;
  readonly term: number;
  readonly firstCommit: number;
  readonly lastCommit: number;
  readonly fragments: readonly Buffer[];
}

/** Bytes that a fragment of this length takes in a run. */
export function packedBytes(fragmentBytes: number): number {
  return lengthBytes + fragmentBytes;
}

/** The pack's bytes, and where each run came to lie, in the order given. */
export function* encodePack(runs: readonly PackRun[]): Work<{ bytes: Buffer; index: IndexedFragment[] }> {
  const parts = runs.map(({ fragments, ...run }) => ({
    ...run,
    length: fragments.reduce((sum, fragment) => sum + packedBytes(fragment.length), 0),
  }));
  const { bytes, index } = layOutLogObject(parts, packMagic);
  for (const [at, { fragments }] of runs.entries()) {
    let { offset } = index[at] as IndexedFragment;
    for (const fragment of fragments) {
      offset = bytes.writeUInt32LE(fragment.length, offset);
      offset = yield* copying(fragment, bytes, offset);
    }
  }
  return { bytes, index };
}

/** The fragments of a run, in order. Throws `STORE_OBJECT_CORRUPT` naming `where`. */
export function fragmentsOfRun(where: string, run: Buffer): Buffer[] {
  const fragments: Buffer[] = [];
  for (let at = 0; at < run.length;) {
    const start = at + lengthBytes;
    const end = start <= run.length ? start + run.readUInt32LE(at) : Infinity;
    if (end > run.length) throw new ByocError('STORE_OBJECT_CORRUPT', `a run in ${where} ends inside a fragment`);
    fragments.push(run.subarray(start, end));
    at = end;
  }
  return fragments;
}

/** The index of a pack. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming it. */
export async function readPackIndex(runtime: Runtime, dataStore: ObjectStore, key: string): Promise<StoredIndex> {
  const turns = new Turns(runtime, 'commit');
  for (let wanted = firstReadBytes; ;) {
    const bytes = await readWithRetry(runtime, key, () => dataStore.getRange(key, 0, wanted));
    if (bytes === undefined) throw new ByocError('STORE_OBJECT_MISSING', `pack ${key} is missing`);
    const index = await turns.run(readIndex(key, bytes, packMagic));
    if (typeof index !== 'number') return index;
    if (bytes.length < wanted) throw new ByocError('STORE_OBJECT_CORRUPT', `pack ${key} is truncated`);
    wanted = index;
  }
}
