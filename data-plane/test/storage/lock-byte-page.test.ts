/**
 * SQLite never writes the page at 1 GiB, number 262,145: no commit has it, though the database has pages behind it. A
 * database of that size is too much for here; its other segments are only named. `npm run large-database` has a real one.
 */
import { conditionalWrite } from '../../src/storage/conditional-write.js';
import { chainStart } from '../../src/storage/fragment.js';
import {
  encodeSegmentList,
  pagesPerSegment,
  readSegmentList,
  segmentsPerList,
  sha256,
  type Generation,
  type SegmentReference,
} from '../../src/storage/generation.js';
import { segmentListName } from '../../src/storage/object-names.js';
import { SegmentReader } from '../../src/storage/segments.js';
import { removeTemporaryDirectories } from '../temporary-store.js';
import { pageOf, pageRecord } from './sample-database.js';
import { SampleStorage } from './sample-storage.js';

afterEach(removeTemporaryDirectories);

const pageBytes = 4096;
const lockBytePage = 2 ** 30 / pageBytes + 1;
const pagesBefore = lockBytePage - 1;

/** A generation of exactly 1 GiB, of whose segments nothing is stored but where they would lie. */
async function generationOfOneGibibyte(storage: SampleStorage): Promise<Generation> {
  const { runtime, dataStore, database } = storage;
  const [term, number] = [1, 900];
  const lists = [];
  for (let list = 0; list < pagesBefore / pagesPerSegment / segmentsPerList; list++) {
    const segments = Array.from({ length: segmentsPerList }, (_, index): SegmentReference => [
      term,
      number,
      list,
      index * 1_000,
      1_000,
      sha256(Buffer.of(index)).toString('hex'),
      1,
    ]);
    const bytes = encodeSegmentList(segments);
    await conditionalWrite(runtime, dataStore, segmentListName(database, term, number, list), bytes, {
      ifAbsent: true,
    });
    lists.push({ term, generation: number, list, digest: sha256(bytes).toString('hex') });
  }
  return {
    database,
    term,
    number,
    commit: 0,
    commitTimeMs: 0,
    databasePages: pagesBefore,
    chainDigest: Buffer.from(chainStart).toString('hex'),
    height: 0,
    earlier: [],
    archiveDigest: sha256(Buffer.of(0)).toString('hex'),
    imageKeys: [[0, 1]],
    archiveKeys: [],
    lists,
  };
}

it('leaves a hole where SQLite writes nothing, and puts every other page where it belongs', async () => {
  const storage = await SampleStorage.create();
  const base = await generationOfOneGibibyte(storage);
  storage.generation = {
    generation: base,
    reference: { term: 1, number: 900, digest: '0'.repeat(64), commit: 0, commitTimeMs: 0 },
  };
  const last = lockBytePage + 5;
  const written = [
    ...Array.from({ length: pagesPerSegment }, (_, index) => pagesBefore - pagesPerSegment + 1 + index),
    ...Array.from({ length: last - lockBytePage }, (_, index) => lockBytePage + 1 + index),
  ];
  storage.sample.commits.push({
    number: 1,
    timeMs: 1_001,
    databasePages: last,
    pages: [Buffer.concat(written.map((page) => pageRecord(page, pageOf(`page ${page}`))))],
  });
  await storage.log();
  const folded = await storage.fold();
  expect(folded.databasePages).toBe(last);
  expect(folded.lists?.slice(0, -2)).toEqual(base.lists?.slice(0, -1));

  const { runtime, dataStore, sealer } = storage;
  const segment = pagesBefore / pagesPerSegment;
  const read = async (number: number): Promise<Buffer> => {
    const list = Math.floor(number / segmentsPerList);
    const references = await readSegmentList(runtime, dataStore, sealer.line, folded, list);
    const reference = references[number % segmentsPerList] as SegmentReference;
    const [content] = await new SegmentReader(runtime, dataStore, sealer).read({
      firstSegment: number,
      references: [reference],
    });
    return content as Buffer;
  };
  const expected = (page: number): Buffer => (page === lockBytePage ? Buffer.alloc(pageBytes) : pageOf(`page ${page}`));
  const pagesFrom = (first: number, count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, index) => expected(first + index)));
  expect((await read(segment - 1)).equals(pagesFrom(pagesBefore - pagesPerSegment + 1, pagesPerSegment))).toBe(true);
  expect((await read(segment)).equals(pagesFrom(lockBytePage, last - lockBytePage + 1))).toBe(true);
});
