/**
 * Reads everything that opening a database must read from the store, and does nothing with it: the ranges that its
 * generation and tail consist of, as many at a time as a data node reads. What a cold open takes beyond this is its own.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { storedManifest } from '@turso-byoc/data-plane/storage/manifest.js';
import {
  generationName,
  logObjectName,
  manifestName,
  segmentBundleName,
  segmentListName,
} from '@turso-byoc/data-plane/storage/object-names.js';
import type { Generation, SegmentReference } from '@turso-byoc/data-plane/storage/generation.js';
import { segmentRuns } from '@turso-byoc/data-plane/storage/segments.js';

interface Range {
  readonly store: ObjectStore;
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

const parallel = 8;

/** Bytes of a database in the store, and how long reading them took. */
export interface ReadObjects {
  readonly bytes: number;
  readonly requests: number;
  readonly elapsedMs: number;
}

/** Finds the ranges first, which is not timed; then reads them. Throws `Error` when an object is missing. */
export async function readDatabaseObjects(
  dataStore: ObjectStore,
  logStore: ObjectStore,
  id: DatabaseId,
): Promise<ReadObjects> {
  const ranges = await databaseRanges(dataStore, logStore, id);
  const startMs = performance.now();
  let next = 0;
  let bytes = 0;
  const worker = async (): Promise<void> => {
    for (let range = ranges[next++]; range !== undefined; range = ranges[next++]) {
      const part = await range.store.getRange(range.key, range.offset, range.length);
      if (part?.length !== range.length) throw new Error(`object ${range.key} is not whole`);
      bytes += part.length;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { bytes, requests: ranges.length, elapsedMs: performance.now() - startMs };
}

async function databaseRanges(dataStore: ObjectStore, logStore: ObjectStore, id: DatabaseId): Promise<Range[]> {
  const manifest = storedManifest.decode(manifestName(id), await body(dataStore, manifestName(id)));
  const ranges: Range[] = manifest.tail.flatMap(({ epoch, fragments }) =>
    fragments.map(([position, offset, length]) => ({
      store: logStore,
      key: logObjectName(epoch, position),
      offset,
      length,
    })),
  );
  if (manifest.generation === undefined) return ranges;
  const { term, number } = manifest.generation;
  const generation = withoutHeader(await body(dataStore, generationName(id, term, number))) as Generation;
  const lists: (readonly SegmentReference[])[] = generation.segments ? [generation.segments] : [];
  for (const list of generation.lists ?? []) {
    const key = segmentListName(id, list.term, list.generation, list.list);
    const { segments } = withoutHeader(await body(dataStore, key)) as { segments: readonly SegmentReference[] };
    lists.push(segments);
  }
  for (const run of lists.flatMap((segments) => segmentRuns(segments, 0))) {
    const [first, last] = [run.references[0], run.references.at(-1)];
    if (first === undefined || last === undefined) continue;
    const key = segmentBundleName(id, first[0], first[1], first[2]);
    ranges.push({ store: dataStore, key, offset: first[3], length: last[3] + last[4] - first[3] });
  }
  return ranges;
}

async function body(store: ObjectStore, key: string): Promise<Buffer> {
  const object = await store.get(key);
  if (object === undefined) throw new Error(`object ${key} is missing`);
  return object.body;
}

/** The content of a small stored object: a line about its format, then JSON. */
function withoutHeader(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8', bytes.indexOf(0x0a) + 1));
}
