/**
 * Reads everything that opening a database must read from the store, and does nothing with it: the ranges that its
 * generation and tail consist of, as many at a time as a data node reads. What a cold open takes beyond this is its own.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import {
  listCount,
  readGenerationWithoutKey,
  readSegmentList,
  segmentBundleKey,
} from '@turso-byoc/data-plane/storage/generation.js';
import { lineOf, storedManifest } from '@turso-byoc/data-plane/storage/manifest.js';
import { logObjectName, manifestName } from '@turso-byoc/data-plane/storage/object-names.js';
import { segmentRuns } from '@turso-byoc/data-plane/storage/segments.js';

interface Range {
  readonly store: ObjectStore;
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

const parallel = 12;

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
  const line = lineOf(manifest);
  const generation = await readGenerationWithoutKey(systemRuntime, dataStore, line, manifest.generation);
  for (let list = 0; list < listCount(generation); list++) {
    const segments = await readSegmentList(systemRuntime, dataStore, line, generation, list);
    for (const run of segmentRuns(segments, 0)) {
      const [first, last] = [run.references[0], run.references.at(-1)];
      if (first === undefined || last === undefined) continue;
      const key = segmentBundleKey(line, first);
      ranges.push({ store: dataStore, key, offset: first[3], length: last[3] + last[4] - first[3] });
    }
  }
  return ranges;
}

async function body(store: ObjectStore, key: string): Promise<Buffer> {
  const object = await store.get(key);
  if (object === undefined) throw new Error(`object ${key} is missing`);
  return object.body;
}
