/**
 * One version of an object as a file: a header, then the body. The header names the object and carries the version's
 * random id, which is its ETag: two versions with equal content have different ETags.
 *
 * Layout, little endian: `TBO1`, u16 key bytes, u16 ancestors, u64 body bytes, 16 bytes id, u64 version number, the ids
 * of the versions before it (newest first), the key, the body.
 */
import { ByocError } from '../errors/catalogue.js';

const magic = Buffer.from('TBO1');
const fixedBytes = 40;
const idBytes = 16;
/** How far back a version names its predecessors; a writer that stalled learns from them whether its version counted. */
export const maxAncestors = 32;
/** No header is longer than this. */
export const maxHeaderBytes = fixedBytes + maxAncestors * idBytes + 1024;

export interface ObjectHeader {
  readonly key: string;
  /** 32 lower-case hex digits. */
  readonly id: string;
  /** 1 for the version that created the object. */
  readonly version: number;
  /** Ids of the versions `version - 1`, `version - 2`, ... as far back as recorded. */
  readonly ancestors: readonly string[];
  readonly bodyBytes: number;
}

/** Length of the header in bytes. */
export function headerBytes(header: ObjectHeader): number {
  return fixedBytes + header.ancestors.length * idBytes + Buffer.byteLength(header.key);
}

export function encodeHeader(header: ObjectHeader): Buffer {
  const buffer = Buffer.alloc(headerBytes(header));
  magic.copy(buffer, 0);
  buffer.writeUInt16LE(Buffer.byteLength(header.key), 4);
  buffer.writeUInt16LE(header.ancestors.length, 6);
  buffer.writeBigUInt64LE(BigInt(header.bodyBytes), 8);
  buffer.write(header.id, 16, 'hex');
  buffer.writeBigUInt64LE(BigInt(header.version), 32);
  let offset = fixedBytes;
  for (const ancestor of header.ancestors) offset += buffer.write(ancestor, offset, 'hex');
  buffer.write(header.key, offset);
  return buffer;
}

function u64(buffer: Buffer, offset: number): number {
  return Number(buffer.readBigUInt64LE(offset));
}

/**
 * Reads the header at the start of `bytes`, which must contain all of it. Throws `STORE_OBJECT_CORRUPT` when the bytes
 * are not a header.
 */
export function decodeHeader(bytes: Buffer): ObjectHeader {
  if (bytes.length < fixedBytes || !bytes.subarray(0, 4).equals(magic)) {
    throw new ByocError('STORE_OBJECT_CORRUPT', 'a file of the local object store has no object header');
  }
  const keyBytes = bytes.readUInt16LE(4);
  const ancestorCount = bytes.readUInt16LE(6);
  const keyOffset = fixedBytes + ancestorCount * idBytes;
  const header = {
    key: bytes.toString('latin1', keyOffset, keyOffset + keyBytes),
    id: bytes.toString('hex', 16, 32),
    version: u64(bytes, 32),
    ancestors: Array.from({ length: ancestorCount }, (_, index) =>
      bytes.toString('hex', fixedBytes + index * idBytes, fixedBytes + (index + 1) * idBytes),
    ),
    bodyBytes: u64(bytes, 8),
  };
  if (
    bytes.length < keyOffset + keyBytes ||
    ancestorCount > maxAncestors ||
    !Number.isSafeInteger(header.bodyBytes) ||
    !Number.isSafeInteger(header.version) ||
    ancestorCount >= header.version
  ) {
    throw new ByocError('STORE_OBJECT_CORRUPT', 'a file of the local object store has a damaged object header');
  }
  return header;
}
