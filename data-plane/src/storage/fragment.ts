/**
 * A fragment: consecutive commits of one database, sealed, chained by digest to the fragment before it. The header is
 * readable without the key, so that recovery can copy fragments and a scrub can follow the chain.
 *
 * Fragment: u8 version, 16 bytes database UUID, u64 term, u64 first commit, u64 last commit, 32 bytes digest of the
 * previous fragment, sealed payload. Payload: for each commit u64 number, u64 commit time (ms), u32 pages of the
 * database after it, u32 count of changed pages, and each of these as u32 page number and 4,096 bytes.
 */
import { createHash } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { dataKeyNumberOf, sealingOverheadBytes, type Sealer, type SealedPosition } from '../keys/sealing.js';
import { atOnce, stepBytes, type Work } from '../turns.js';
import { hashing } from './long-buffers.js';

export const pageBytes = 4096;
const pageRecordBytes = 4 + pageBytes;
const commitHeaderBytes = 24;

/** One commit of a database as the engine handed it over. */
export interface Commit {
  readonly number: number;
  /** Milliseconds since 1970, strictly increasing per database. */
  readonly timeMs: number;
  /** Size of the database after the commit. */
  readonly databasePages: number;
  /** Changed pages as records of u32 page number and page content, every page once; several buffers in order. */
  readonly pages: readonly Uint8Array[];
}

export interface FragmentHeader {
  readonly database: DatabaseId;
  readonly term: number;
  readonly firstCommit: number;
  readonly lastCommit: number;
  /** Digest of the database's fragment before this one; zeros for the very first. */
  readonly previous: Buffer;
}

/** 32-byte SHA-256 of a fragment's bytes. */
export type FragmentDigest = Buffer;
/** The digest before a database's first fragment. */
export const chainStart: FragmentDigest = Buffer.alloc(32);

const version = 1;
const headerBytes = 1 + 16 + 8 + 8 + 8 + 32;

export function fragmentDigest(bytes: Uint8Array): FragmentDigest {
  return createHash('sha256').update(bytes).digest();
}

const sealedPosition = (header: FragmentHeader): SealedPosition => ({
  kind: 'fragment',
  term: header.term,
  numbers: [header.firstCommit, header.lastCommit],
  previous: header.previous,
});

/** Bytes that `commit` takes in a fragment's payload. */
export function commitBytes(commit: Commit): number {
  return commit.pages.reduce((sum, part) => sum + part.byteLength, commitHeaderBytes);
}

/**
 * Why a commit that came from an engine process must not be stored, or undefined when it may: what could not be read
 * back must never be acknowledged. Pages beyond `databasePages` are allowed; a transaction that shrinks the database can
 * have written some.
 */
export function commitDefect(commit: Commit): string | undefined {
  if (commit.databasePages < 1) return 'it leaves no page';
  if (commit.pages.some((part) => part.byteLength % pageRecordBytes !== 0)) return 'a page record is incomplete';
  const numbers = new Set<number>();
  let count = 0;
  forEachPage(commit, (page) => {
    numbers.add(page);
    count += 1;
  });
  if (numbers.has(0)) return 'it changes page 0';
  return numbers.size === count ? undefined : 'it changes a page twice';
}

/** Seals consecutive commits (at least one) into a fragment that follows the one with digest `previous`. */
export function encodeFragment(
  sealer: Sealer,
  database: DatabaseId,
  term: number,
  previous: FragmentDigest,
  commits: readonly Commit[],
): Buffer {
  const bytes = Buffer.allocUnsafe(fragmentBytes(commits));
  atOnce(writeFragment(bytes, sealer, database, term, previous, commits));
  return bytes;
}

/** Length of the fragment that holds `commits`. */
export function fragmentBytes(commits: readonly Commit[]): number {
  return headerBytes + sealingOverheadBytes + commits.reduce((sum, commit) => sum + commitBytes(commit), 0);
}

/**
 * Writes the fragment into `target`, which it fills; gives its digest. The key is taken by this call, whatever happens to
 * the sealer while the work is done.
 */
export function writeFragment(
  target: Buffer,
  sealer: Sealer,
  database: DatabaseId,
  term: number,
  previous: FragmentDigest,
  commits: readonly Commit[],
): Work<FragmentDigest> {
  const [first, last] = [commits[0], commits.at(-1)];
  if (!first || !last) throw new Error('a fragment has at least one commit');
  const header: FragmentHeader = { database, term, firstCommit: first.number, lastCommit: last.number, previous };
  target.writeUInt8(version, 0);
  uuidBytes(database).copy(target, 1);
  target.writeBigUInt64LE(BigInt(term), 17);
  target.writeBigUInt64LE(BigInt(header.firstCommit), 25);
  target.writeBigUInt64LE(BigInt(header.lastCommit), 33);
  previous.copy(target, 41);
  const sealing = sealer.sealInto(target, headerBytes, sealedPosition(header), payloadParts(commits));
  return sealedFragment(target, sealing);
}

function* sealedFragment(target: Buffer, sealing: Work<void>): Work<FragmentDigest> {
  yield* sealing;
  return yield* hashing(target);
}

function payloadParts(commits: readonly Commit[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const commit of commits) {
    const commitHeader = Buffer.allocUnsafe(commitHeaderBytes);
    const pagesBytes = commitBytes(commit) - commitHeaderBytes;
    commitHeader.writeBigUInt64LE(BigInt(commit.number), 0);
    commitHeader.writeBigUInt64LE(BigInt(commit.timeMs), 8);
    commitHeader.writeUInt32LE(commit.databasePages, 16);
    commitHeader.writeUInt32LE(pagesBytes / pageRecordBytes, 20);
    parts.push(commitHeader, ...commit.pages);
    length += commitHeaderBytes + pagesBytes;
  }
  // Encrypting many little parts takes longer than copying them.
  return length <= stepBytes ? [Buffer.concat(parts, length)] : parts;
}

/** Reads a fragment's header. Throws `STORE_OBJECT_CORRUPT` naming `where`. */
export function decodeFragmentHeader(where: string, bytes: Buffer): FragmentHeader {
  if (bytes.length < headerBytes + sealingOverheadBytes || bytes.readUInt8(0) !== version) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the fragment in ${where} is damaged`);
  }
  const [term, firstCommit, lastCommit] = [17, 25, 33].map((at) => Number(bytes.readBigUInt64LE(at))) as [
    number,
    number,
    number,
  ];
  if (![term, firstCommit, lastCommit].every(Number.isSafeInteger)) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the fragment in ${where} is damaged`);
  }
  return { database: uuidText(bytes.subarray(1, 17)), term, firstCommit, lastCommit, previous: bytes.subarray(41, 73) };
}

/** Number of the data key that a fragment, whose header was read before, is sealed under. */
export function fragmentKeyNumber(bytes: Buffer): number {
  return dataKeyNumberOf(bytes.subarray(headerBytes));
}

/** The commits of a fragment. Throws `STORE_OBJECT_CORRUPT` naming `where`. */
export function decodeFragment(sealer: Sealer, where: string, bytes: Buffer): Commit[] {
  return atOnce(decodingFragment(sealer, where, bytes));
}

/** `decodeFragment`, in steps. */
export function* decodingFragment(sealer: Sealer, where: string, bytes: Buffer): Work<Commit[]> {
  const header = decodeFragmentHeader(where, bytes);
  if (header.database !== sealer.database) {
    throw new ByocError(
      'STORE_OBJECT_CORRUPT',
      `the fragment in ${where} belongs to another database, ${header.database}`,
    );
  }
  const payload = yield* sealer.opening(sealedPosition(header), bytes.subarray(headerBytes), where);
  const commits: Commit[] = [];
  let offset = 0;
  while (offset < payload.length) {
    const pageCount = payload.length - offset >= commitHeaderBytes ? payload.readUInt32LE(offset + 20) : Infinity;
    const end = offset + commitHeaderBytes + pageCount * pageRecordBytes;
    if (end > payload.length)
      throw new ByocError('STORE_OBJECT_CORRUPT', `the fragment in ${where} ends inside a commit`);
    commits.push({
      number: Number(payload.readBigUInt64LE(offset)),
      timeMs: Number(payload.readBigUInt64LE(offset + 8)),
      databasePages: payload.readUInt32LE(offset + 16),
      pages: [payload.subarray(offset + commitHeaderBytes, end)],
    });
    offset = end;
  }
  const consecutive = commits.every((commit, index) => commit.number === header.firstCommit + index);
  if (!consecutive || header.firstCommit + commits.length - 1 !== header.lastCommit) {
    throw new ByocError(
      'STORE_OBJECT_CORRUPT',
      `the fragment in ${where} does not hold the commits that its header names`,
    );
  }
  return commits;
}

/** Calls `onPage` with each changed page of a commit: number from 1, content of 4,096 bytes. */
export function forEachPage(commit: Commit, onPage: (pageNumber: number, content: Uint8Array) => void): void {
  for (const part of commit.pages) {
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let offset = 0; offset < part.byteLength; offset += pageRecordBytes) {
      onPage(view.getUint32(offset, true), part.subarray(offset + 4, offset + pageRecordBytes));
    }
  }
}

export function uuidBytes(database: DatabaseId): Buffer {
  return Buffer.from(database.replaceAll('-', ''), 'hex');
}

export function uuidText(bytes: Buffer): DatabaseId {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  ) as DatabaseId;
}
