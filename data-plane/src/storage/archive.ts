/**
 * An archive: the sealed fragments that lead from one generation to the next, so that any commit between the two can be
 * rebuilt after the log objects are gone, and a page index that tells which commit changed which pages. One that a branch
 * or a deleted database carries after its last generation has no page index: its fragments may be gathered without a key.
 *
 * Archive: 8 bytes magic, u32 fragment count, entries (u64 first commit, u64 last commit, u32 offset, u32 length), 32
 * bytes SHA-256 of all before, u32 length of the sealed page index, the sealed page index (JSON), fragments.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { foreignStart } from './binary-magic.js';
import { readWithRetry } from './conditional-write.js';
import { Turns, type Work } from '../turns.js';
import { decodeFragmentHeader, decodingFragment, forEachPage, type Commit } from './fragment.js';
import {
  fragmentEnd,
  nextFragment,
  type ChainStart,
  type SealedFragment,
  type TailFragment,
} from './fragment-chain.js';
import { databaseAt, sha256 } from './generation.js';
import { hashing, joining } from './long-buffers.js';
import type { GenerationReference } from './manifest.js';
import { archiveName } from './object-names.js';

const magic = Buffer.from('TBYOARC1');
const fixedBytes = 12;
const entryBytes = 24;
const digestBytes = 32;
const firstReadBytes = 64 * 1024;
const maxRunBytes = 8 * 1024 * 1024;
/** Bytes between two fragments that are read rather than asked around. */
const mostGapBytes = 128 * 1024;

/** Where one fragment lies in the archive. */
interface Entry {
  readonly firstCommit: number;
  readonly lastCommit: number;
  readonly offset: number;
  readonly length: number;
}

/** Bytes before the sealed page index. */
const headLength = (fragments: number): number => fixedBytes + fragments * entryBytes + digestBytes + 4;

/** One commit in the page index. */
export interface IndexedCommit {
  readonly number: number;
  readonly timeMs: number;
  readonly databasePages: number;
  readonly pages: readonly number[];
}

/** The page index is sealed by this call, under the key that is current then. */
export function encodeArchive(
  sealer: Sealer,
  term: number,
  generation: number,
  fragments: readonly TailFragment[],
): Work<Buffer> {
  const pageIndex: IndexedCommit[] = fragments.flatMap(({ commits }) => commits.map(indexedCommit));
  const sealedIndex = sealer.seal(
    { kind: 'archive-index', term, numbers: [generation] },
    Buffer.from(JSON.stringify(pageIndex)),
  );
  return encode(
    fragments.map(({ bytes, commits, after }) => ({
      bytes,
      firstCommit: commits[0]?.number ?? after.commit,
      lastCommit: after.commit,
    })),
    sealedIndex,
  );
}

/** An archive without page index. */
export function encodeCarriedFragments(fragments: readonly SealedFragment[]): Work<Buffer> {
  return encode(
    fragments.map(({ bytes, header: { firstCommit, lastCommit } }) => ({ bytes, firstCommit, lastCommit })),
    Buffer.alloc(0),
  );
}

function* encode(
  fragments: readonly { readonly bytes: Buffer; readonly firstCommit: number; readonly lastCommit: number }[],
  sealedIndex: Buffer,
): Work<Buffer> {
  const head = Buffer.allocUnsafe(fixedBytes + fragments.length * entryBytes);
  magic.copy(head);
  head.writeUInt32LE(fragments.length, 8);
  let offset = headLength(fragments.length) + sealedIndex.length;
  fragments.forEach(({ bytes, firstCommit, lastCommit }, index) => {
    const at = fixedBytes + index * entryBytes;
    head.writeBigUInt64LE(BigInt(firstCommit), at);
    head.writeBigUInt64LE(BigInt(lastCommit), at + 8);
    head.writeUInt32LE(offset, at + 16);
    head.writeUInt32LE(bytes.length, at + 20);
    offset += bytes.length;
  });
  const indexLength = Buffer.allocUnsafe(4);
  indexLength.writeUInt32LE(sealedIndex.length);
  return yield* joining([head, sha256(head), indexLength, sealedIndex, ...fragments.map(({ bytes }) => bytes)]);
}

/**
 * Reads the fragments of an archive that follow `from` and hold commits up to `upTo`, in order. Needs no key. Throws
 * `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT` or `STORE_FORMAT_UNKNOWN`, naming the archive.
 */
export async function* readArchive(
  runtime: Runtime,
  store: ObjectStore,
  line: readonly DatabaseId[],
  key: string,
  from: ChainStart,
  upTo = Infinity,
): AsyncGenerator<SealedFragment> {
  const entries = await readEntries(runtime, store, key);
  const wanted = entries.filter(({ firstCommit, lastCommit }) => lastCommit > from.commit && firstCommit <= upTo);
  const turns = new Turns(runtime, 'background');
  let end: ChainStart = from;
  for (const run of runsOf(wanted)) {
    const [first, last] = [run[0] as Entry, run.at(-1) as Entry];
    const length = last.offset + last.length - first.offset;
    const bytes = await existing(runtime, key, () => store.getRange(key, first.offset, length));
    if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is truncated`);
    for (const entry of run) {
      const start = entry.offset - first.offset;
      const sealed = bytes.subarray(start, start + entry.length);
      const fragment = nextFragment(key, sealed, await turns.run(hashing(sealed)), end, line);
      end = fragmentEnd(fragment);
      yield fragment;
    }
  }
}

/**
 * The page index of the archive that leads to a generation of the sealer's line, in commit order. Throws
 * `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`.
 */
export async function readPageIndex(
  runtime: Runtime,
  store: ObjectStore,
  sealer: Sealer,
  reference: GenerationReference,
): Promise<readonly IndexedCommit[]> {
  const { term, number, source = 0 } = reference;
  const key = archiveName(databaseAt(sealer.line, reference), term, number);
  const head = await existing(runtime, key, () => store.getRange(key, 0, firstReadBytes));
  const indexAt = headLength(countIn(key, head));
  const read = async (start: number, length: number): Promise<Buffer> =>
    start + length <= head.length
      ? head.subarray(start, start + length)
      : existing(runtime, key, () => store.getRange(key, start, length));
  const length = (await read(indexAt - 4, 4)).readUInt32LE(0);
  const sealed = await read(indexAt, length);
  const position = { kind: 'archive-index', term, numbers: [number] } as const;
  const opened = await new Turns(runtime, 'background').run(sealer.at(source, key).opening(position, sealed, key));
  return JSON.parse(opened.toString('utf8')) as IndexedCommit[];
}

/**
 * Of the archive that leads to a generation the commits that `index`, entries of its page index, name, and maybe others
 * beside them, in order. Reads only what holds one of them. Throws as `readPageIndex`.
 */
export async function* readArchivedCommits(
  runtime: Runtime,
  store: ObjectStore,
  sealer: Sealer,
  reference: GenerationReference,
  index: ReadonlyMap<number, IndexedCommit>,
): AsyncGenerator<readonly Commit[]> {
  const key = archiveName(databaseAt(sealer.line, reference), reference.term, reference.number);
  const numbers = [...index.keys()].sort((a, b) => a - b);
  const entries = (await readEntries(runtime, store, key)).filter(({ firstCommit, lastCommit }) => {
    const first = numbers[lowerBound(numbers, firstCommit)];
    return first !== undefined && first <= lastCommit;
  });
  const turns = new Turns(runtime, 'background');
  for (const run of runsOf(entries)) {
    const [first, last] = [run[0] as Entry, run.at(-1) as Entry];
    const length = last.offset + last.length - first.offset;
    const bytes = await existing(runtime, key, () => store.getRange(key, first.offset, length));
    for (const entry of run) {
      const sealed = bytes.subarray(entry.offset - first.offset, entry.offset - first.offset + entry.length);
      const { database } = decodeFragmentHeader(key, sealed);
      const commits = await turns.run(decodingFragment(sealer.of(database, key), key, sealed));
      // The index is sealed for this very archive: it tells a fragment of this history from any other of these numbers.
      const isOther = commits.some(({ number, timeMs }) => (index.get(number)?.timeMs ?? timeMs) !== timeMs);
      if (isOther) throw new ByocError('STORE_OBJECT_CORRUPT', `archive ${key} does not hold what its index names`);
      yield commits;
    }
  }
}

/** Index of the first of `numbers`, which are sorted, that is not below `least`. */
function lowerBound(numbers: readonly number[], least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The sealed parts of an archive that was read as a whole. Throws as `readArchive` does. */
export function archivedParts(key: string, archive: Buffer): { fragments: Buffer[]; pageIndex: Buffer } {
  const entries = entriesIn(key, archive, countIn(key, archive));
  const indexAt = headLength(entries.length);
  const fragments = entries.map(({ offset, length }) => archive.subarray(offset, offset + length));
  return { fragments, pageIndex: archive.subarray(indexAt, indexAt + archive.readUInt32LE(indexAt - 4)) };
}

async function readEntries(runtime: Runtime, store: ObjectStore, key: string): Promise<Entry[]> {
  let head = await existing(runtime, key, () => store.getRange(key, 0, firstReadBytes));
  const count = countIn(key, head);
  const length = headLength(count);
  if (head.length < length) head = await existing(runtime, key, () => store.getRange(key, 0, length));
  return entriesIn(key, head, count);
}

/** How many fragments an archive holds, from its start. */
function countIn(key: string, head: Buffer): number {
  if (head.length < fixedBytes || !head.subarray(0, magic.length).equals(magic)) {
    throw foreignStart(key, head, [magic], `object ${key} does not start like an archive`);
  }
  return head.readUInt32LE(8);
}

function entriesIn(key: string, head: Buffer, count: number): Entry[] {
  const covered = head.subarray(0, fixedBytes + count * entryBytes);
  if (
    head.length < headLength(count) ||
    !sha256(covered).equals(head.subarray(covered.length, covered.length + digestBytes))
  ) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the head of archive ${key} does not match its digest`);
  }
  return Array.from({ length: count }, (_, index) => {
    const at = fixedBytes + index * entryBytes;
    return {
      firstCommit: Number(head.readBigUInt64LE(at)),
      lastCommit: Number(head.readBigUInt64LE(at + 8)),
      offset: head.readUInt32LE(at + 16),
      length: head.readUInt32LE(at + 20),
    };
  });
}

/** Neighbours that one read gets. */
function runsOf(entries: readonly Entry[]): Entry[][] {
  const runs: Entry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    const isNear = before !== undefined && entry.offset - (before.offset + before.length) <= mostGapBytes;
    if (run && isNear && bytes + entry.length <= maxRunBytes) run.push(entry);
    else {
      runs.push([entry]);
      bytes = 0;
    }
    bytes += entry.length;
  }
  return runs;
}

async function existing(runtime: Runtime, key: string, read: () => Promise<Buffer | undefined>): Promise<Buffer> {
  const bytes = await readWithRetry(runtime, key, read);
  if (!bytes) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  return bytes;
}

function indexedCommit(commit: Commit): IndexedCommit {
  const pages: number[] = [];
  forEachPage(commit, (page) => pages.push(page));
  return { number: commit.number, timeMs: commit.timeMs, databasePages: commit.databasePages, pages };
}
