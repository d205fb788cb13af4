/**
 * An archive: the sealed fragments that lead from one generation to the next, so that any commit between the two can be
 * rebuilt after the log objects are gone, and a page index that tells which commit changed which pages.
 *
 * Archive: 8 bytes magic, u32 fragment count, entries (u64 first commit, u64 last commit, u32 offset, u32 length), 32
 * bytes SHA-256 of all before, u32 length of the sealed page index, the sealed page index (JSON), fragments.
 */
import type { Sealer } from '../keys/sealing.js';
import type { Work } from '../turns.js';
import { forEachPage, type Commit } from './fragment.js';
import { sha256 } from './generation.js';
import { joining } from './long-buffers.js';
import type { TailFragment } from './tail.js';

const magic = Buffer.from('TBYOARC1');
const entryBytes = 24;

/** One commit in the page index. */
export interface IndexedCommit {
  readonly number: number;
  readonly timeMs: number;
  readonly databasePages: number;
  readonly pages: readonly number[];
}

export function* encodeArchive(
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
  const head = Buffer.allocUnsafe(12 + fragments.length * entryBytes);
  magic.copy(head);
  head.writeUInt32LE(fragments.length, 8);
  let offset = head.length + 32 + 4 + sealedIndex.length;
  fragments.forEach(({ bytes, commits, after }, index) => {
    const at = 12 + index * entryBytes;
    head.writeBigUInt64LE(BigInt(commits[0]?.number ?? after.commit), at);
    head.writeBigUInt64LE(BigInt(after.commit), at + 8);
    head.writeUInt32LE(offset, at + 16);
    head.writeUInt32LE(bytes.length, at + 20);
    offset += bytes.length;
  });
  const indexLength = Buffer.allocUnsafe(4);
  indexLength.writeUInt32LE(sealedIndex.length);
  return yield* joining([head, sha256(head), indexLength, sealedIndex, ...fragments.map(({ bytes }) => bytes)]);
}

function indexedCommit(commit: Commit): IndexedCommit {
  const pages: number[] = [];
  forEachPage(commit, (page) => pages.push(page));
  return { number: commit.number, timeMs: commit.timeMs, databasePages: commit.databasePages, pages };
}
