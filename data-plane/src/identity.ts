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
 * A fresh random database id (UUID version 4). For `tursodb` byte 5 is 0x10 and for `libsql` it is not: the `turso` CLI
 * shows a database's type from that byte.
 */
export function newDatabaseId(engine: EngineName, random: (bytes: number) => Buffer = randomBytes): DatabaseId {
  const bytes = random(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  if (engine === 'tursodb') bytes[5] = 0x10;
  else if (bytes[5] === 0x10) bytes[5] = 0x11;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  ) as DatabaseId;
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
