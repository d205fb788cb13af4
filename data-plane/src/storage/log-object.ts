/**
 * A log object: the fragments of many databases that one node made durable with one write, and an index of them that can
 * be read without the rest. A seal is a log object that holds nothing and ends its epoch's log for ever.
 *
 * Log object: 8 bytes magic, u32 fragment count, index, 32 bytes SHA-256 of all before, fragments. Index entry: 16
 * bytes database UUID, u64 term, u64 first commit, u64 last commit, u32 offset, u32 length.
 */
import { createHash } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { atOnce, type Work } from '../turns.js';
import { foreignStart } from './binary-magic.js';
import { uuidBytes, uuidText } from './fragment.js';
import { hashing } from './long-buffers.js';

export interface IndexedFragment {
  readonly database: DatabaseId;
  readonly term: number;
  readonly firstCommit: number;
  readonly lastCommit: number;
  /** Byte offset and length within the log object. */
  readonly offset: number;
  readonly length: number;
}

const logMagic = Buffer.from('TBYOLOG1');
/** What a pack starts with; its index is that of a log object. */
export const packMagic = Buffer.from('TBYOPAK1');
const sealMagic = Buffer.from('TBYOSEA1');
const fixedBytes = 12;
const entryBytes = 48;
const digestBytes = 32;
const uuidLength = 16;

/** Bytes of a log object up to the end of its index, for `fragments` fragments. */
export function indexBytes(fragments: number): number {
  return fixedBytes + fragments * entryBytes + digestBytes;
}

export interface LogObjectPart {
  readonly database: DatabaseId;
  readonly term: number;
  readonly firstCommit: number;
  readonly lastCommit: number;
  readonly bytes: Buffer;
}

/** The object's bytes, and where each part came to lie, in the order given. */
export function encodeLogObject(parts: readonly LogObjectPart[]): { bytes: Buffer; index: IndexedFragment[] } {
  const { bytes, index } = layOutLogObject(parts.map((part) => ({ ...part, length: part.bytes.length })));
  index.forEach(({ offset }, at) => parts[at]?.bytes.copy(bytes, offset));
  return { bytes, index };
}

/**
 * An object with its index, in which the fragments are yet to be written where the index says. `magic`: what the object
 * starts with.
 */
export function layOutLogObject(
  parts: readonly Omit<IndexedFragment, 'offset'>[],
  magic: Buffer = logMagic,
): { bytes: Buffer; index: IndexedFragment[] } {
  const start = indexBytes(parts.length);
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, { length }) => sum + length, start));
  magic.copy(bytes);
  bytes.writeUInt32LE(parts.length, 8);
  const index: IndexedFragment[] = [];
  let at = fixedBytes;
  let offset = start;
  for (const { database, term, firstCommit, lastCommit, length } of parts) {
    uuidBytes(database).copy(bytes, at);
    bytes.writeBigUInt64LE(BigInt(term), at + 16);
    bytes.writeBigUInt64LE(BigInt(firstCommit), at + 24);
    bytes.writeBigUInt64LE(BigInt(lastCommit), at + 32);
    bytes.writeUInt32LE(offset, at + 40);
    bytes.writeUInt32LE(length, at + 44);
    index.push({ database, term, firstCommit, lastCommit, offset, length });
    at += entryBytes;
    offset += length;
  }
  digest(bytes.subarray(0, at)).copy(bytes, at);
  return { bytes, index };
}

/** The seal that `sealedBy` (an epoch or a name) puts at a log position. */
export function encodeSeal(sealedBy: string): Buffer {
  return Buffer.concat([sealMagic, Buffer.from(sealedBy, 'latin1')]);
}

export function isSeal(bytes: Buffer): boolean {
  return bytes.subarray(0, sealMagic.length).equals(sealMagic);
}

/** Entries of an index as they are stored: one of very many fragments is gone through without an object for each. */
export class StoredIndex {
  constructor(
    readonly size: number,
    private readonly bytes: Buffer,
  ) {}

  /** The database's id as 16 characters, one for each byte. */
  databaseKey(entry: number): string {
    const at = startOf(entry);
    return this.bytes.toString('latin1', at, at + uuidLength);
  }

  term(entry: number): number {
    return this.#u64(startOf(entry) + 16);
  }

  firstCommit(entry: number): number {
    return this.#u64(startOf(entry) + 24);
  }

  lastCommit(entry: number): number {
    return this.#u64(startOf(entry) + 32);
  }

  offset(entry: number): number {
    return this.bytes.readUInt32LE(startOf(entry) + 40);
  }

  length(entry: number): number {
    return this.bytes.readUInt32LE(startOf(entry) + 44);
  }

  fragment(entry: number): IndexedFragment {
    const at = startOf(entry);
    return {
      database: uuidText(this.bytes.subarray(at, at + uuidLength)),
      term: this.term(entry),
      firstCommit: this.firstCommit(entry),
      lastCommit: this.lastCommit(entry),
      offset: this.offset(entry),
      length: this.length(entry),
    };
  }

  /** Exact for what a writer counts up to. */
  #u64(at: number): number {
    return this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * 2 ** 32;
  }
}

/**
 * Reads the index from the first bytes of a log object, or of a pack. Returns the number of bytes needed when `bytes` is
 * too short. Throws `STORE_OBJECT_CORRUPT` or `STORE_FORMAT_UNKNOWN`, naming `key`.
 */
export function decodeIndex(key: string, bytes: Buffer, magic: Buffer = logMagic): IndexedFragment[] | number {
  const index = atOnce(readIndex(key, bytes, magic));
  if (typeof index === 'number') return index;
  return Array.from({ length: index.size }, (_, entry) => index.fragment(entry));
}

/** The same in steps, and without looking at the entries. */
export function* readIndex(key: string, bytes: Buffer, magic: Buffer): Work<StoredIndex | number> {
  if (bytes.length < fixedBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    throw foreignStart(key, bytes, [magic, sealMagic], `object ${key} does not start like what its name says`);
  }
  const count = bytes.readUInt32LE(8);
  const length = indexBytes(count);
  if (bytes.length < length) return length;
  const end = length - digestBytes;
  if (!(yield* hashing(bytes.subarray(0, end))).equals(bytes.subarray(end, length))) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the index of object ${key} does not match its digest`);
  }
  return new StoredIndex(count, bytes.subarray(0, end));
}

function startOf(entry: number): number {
  return fixedBytes + entry * entryBytes;
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
