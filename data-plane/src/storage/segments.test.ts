import { databaseA, sampleSealer } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { systemRuntime } from '../runtime.js';
import { segmentCount, segmentLength, type SegmentReference } from './generation.js';
import { segmentBundleName } from './object-names.js';
import { SegmentReader, segmentRuns, SegmentWriter } from './segments.js';

const runtime = systemRuntime;
const sealer = sampleSealer(runtime);
const digest = '0'.repeat(64);
const at = (bundle: number, offset: number, length: number): SegmentReference => [
  1,
  1,
  bundle,
  offset,
  length,
  digest,
  1,
];

afterEach(removeTemporaryDirectories);

describe('segments', () => {
  it('are written several to a bundle, and read back run by run', async () => {
    const store = await temporaryStore();
    const writer = new SegmentWriter(runtime, store, sealer, 1, 1);
    const contents = new Map<number, Buffer>();
    for (let segment = 0; segment < 70; segment++) {
      if (segment % 7 === 3) continue;
      const content = Buffer.alloc(128 * 1024, segment);
      contents.set(segment, content);
      await writer.add(segment, content);
    }
    const references = await writer.finish();
    expect(await store.get(segmentBundleName(databaseA, 1, 1, 1))).toBeUndefined();
    for (const [segment, content] of contents) {
      const run = { firstSegment: segment, references: [references.get(segment) as SegmentReference] };
      const [plaintext] = await new SegmentReader(runtime, store, sealer).read(run);
      expect(plaintext?.equals(content)).toBe(true);
    }
    const first = [0, 1, 2].map((segment) => references.get(segment) as SegmentReference);
    const runs = segmentRuns(first, 0);
    expect(runs).toHaveLength(1);
    expect(await new SegmentReader(runtime, store, sealer).read({ firstSegment: 0, references: [] })).toEqual([]);
  });

  it('fill a bundle of at most 8 MiB before the next', async () => {
    const store = await temporaryStore();
    const writer = new SegmentWriter(runtime, store, sealer, 1, 1);
    const content = Buffer.alloc(128 * 1024);
    for (let segment = 0; segment < 65; segment++) await writer.add(segment, content);
    const references = await writer.finish();
    expect(references.get(62)?.[2]).toBe(0);
    expect(references.get(64)?.[2]).toBe(1);
    const sizes = await Promise.all(
      [0, 1].map(async (bundle) => (await store.get(segmentBundleName(databaseA, 1, 1, bundle)))?.body.length ?? 0),
    );
    expect(sizes.every((size) => size <= 8 * 1024 * 1024)).toBe(true);
  });

  it('never replace what another writer stored under the name', async () => {
    const store = await temporaryStore();
    await store.put(segmentBundleName(databaseA, 1, 1, 0), Buffer.from('other'), { ifAbsent: true });
    const writer = new SegmentWriter(runtime, store, sealer, 1, 1);
    await writer.add(0, Buffer.alloc(4096));
    await expect(writer.finish()).rejects.toThrow('someone else');
  });

  it('form runs of neighbours in the same bundle, of at most 4 MiB', () => {
    const mebibyte = 1 << 20;
    const references = [
      at(0, 0, 10),
      at(0, 10, 10),
      at(0, 30, 10),
      at(1, 40, 10),
      at(1, 50, 3 * mebibyte),
      at(1, 50 + 3 * mebibyte, mebibyte),
    ];
    const runs = segmentRuns(references, 256);
    expect(runs.map(({ firstSegment, references: { length } }) => [firstSegment, length])).toEqual([
      [256, 2],
      [258, 1],
      [259, 2],
      [261, 1],
    ]);
    expect(runs.flatMap((run) => run.references)).toEqual(references);
    expect(segmentRuns([], 0)).toEqual([]);
  });

  it('cover a database of any size; only the last is shorter', () => {
    expect([1, 32, 33, 8192].map(segmentCount)).toEqual([1, 1, 2, 256]);
    expect([segmentLength(33, 0), segmentLength(33, 1), segmentLength(64, 1)]).toEqual([131072, 4096, 131072]);
  });
});
