import { ByocError } from '../errors/catalogue.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readSegmentList, segmentCount, segmentLength, type Generation } from './generation.js';
import { runsOf } from './restore.js';
import { SegmentReader } from './segments.js';

/** Runs of segments on their way before they are taken: 4 MiB each at most. */
const runsAhead = 2;

/**
 * The database file that a generation stands for, from its first byte to its last, in parts of 128 KiB, with about 12 MiB in
 * memory. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`.
 */
export async function* readImage(
  runtime: Runtime,
  store: ObjectStore,
  sealer: Sealer,
  generation: Generation,
): AsyncGenerator<Buffer> {
  const { databasePages, number } = generation;
  const reader = new SegmentReader(runtime, store, sealer);
  const runs = runsOf(generation, async (list) => readSegmentList(runtime, store, sealer.line, generation, list));
  const ahead: Promise<Buffer[]>[] = [];
  let segment = 0;
  for (let isLast = false; ;) {
    while (!isLast && ahead.length <= runsAhead) {
      const next = await runs.next();
      if (next.done === true) isLast = true;
      else {
        const reading = reader.read(next.value);
        // Thrown where it is awaited; nobody may, when the client leaves before.
        reading.catch(() => undefined);
        ahead.push(reading);
      }
    }
    const run = await ahead.shift();
    if (!run) break;
    for (const content of run) {
      if (content.length !== segmentLength(databasePages, segment)) throw incomplete();
      segment += 1;
      yield content;
    }
  }
  if (segment !== segmentCount(databasePages)) throw incomplete();

  function incomplete(): ByocError {
    const what = `generation ${number} of database ${sealer.database}`;
    return new ByocError('STORE_OBJECT_CORRUPT', `${what} does not have the segments of ${databasePages} pages`);
  }
}
