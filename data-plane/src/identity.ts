import { randomBytes } from 'node:crypto';
import { ByocError } from './errors/catalogue.js';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A database's UUID in lower-case canonical text form; never reused. */
export type DatabaseId = Branded<string, 'DatabaseId'>;
/** One run of a data node: 16 random bytes in lower-case hex; never reused. */
export type NodeEpoch = Branded<string, 'NodeEpoch'>;

export type EngineName = 'libsql' | 'tursodb';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const epochPattern = /^[0-9a-f]{32}$/;

export function isDatabaseId(text: unknown): text is DatabaseId {
  return typeof text === 'string' && uuidPattern.test(text);
}

/** Checks and brands a database UUID. Throws `MALFORMED_REQUEST` for anything else. */
export function databaseId(text: unknown): DatabaseId {
  if (!isDatabaseId(text)) throw new ByocError('MALFORMED_REQUEST', 'a database id must be a lower-case UUID');
  return text;
}

/**
 * A fresh database id: a UUID of version 8. Its first byte is random, so that what is kept by it is spread over 256 parts; then come
 * four bytes of the time, in units of 1.024 s, and random ones. So those made at about the same time stand together in an index, in 256
 * places: were they all random, each insert into a large catalog would change another page, and each checkpoint would write all that
 * lies around these pages. Byte 5 is 0x10 for `tursodb` and not for `libsql`: the `turso` CLI shows a database's type from it.
 *
 * @param nowMs - Milliseconds since 1970.
 */
export function newDatabaseId(
  engine: EngineName,
  nowMs: number,
  random: (bytes: number) => Buffer = randomBytes,
): DatabaseId {
  const bytes = random(16);
  bytes.writeUInt32BE(Math.floor(nowMs / 1_024) % 2 ** 32, 1);
  if (engine === 'tursodb') bytes[5] = 0x10;
  else if (bytes[5] === 0x10) bytes[5] = 0x11;
  return uuidText(bytes, 8) as DatabaseId;
}

/** A fresh UUID of version 7: those made later stand behind those made before. `nowMs` as above. */
export function orderedUuid(nowMs: number, random: (bytes: number) => Buffer = randomBytes): string {
  const bytes = random(16);
  bytes.writeUIntBE(Math.floor(nowMs), 0, 6);
  return uuidText(bytes, 7);
}

function uuidText(bytes: Buffer, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (version << 4);
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Checks and brands a node epoch read from the store. Throws `STORE_OBJECT_CORRUPT` for anything else. */
export function nodeEpoch(text: unknown): NodeEpoch {
  if (typeof text !== 'string' || !epochPattern.test(text)) {
    throw new ByocError('STORE_OBJECT_CORRUPT', 'a node epoch must be 32 lower-case hex digits');
  }
  return text as NodeEpoch;
}

export function newNodeEpoch(random: (bytes: number) => Buffer = randomBytes): NodeEpoch {
  return random(16).toString('hex') as NodeEpoch;
}
