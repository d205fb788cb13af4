/** Which data keys the content of stored objects is sealed under, as the sealed bytes themselves say. Needs no key. */
import type { DatabaseId } from '../identity.js';
import { dataKeyNumberOf, sealedHeadBytes } from '../keys/sealing.js';
import { archivedParts } from './archive.js';
import { decodeFragmentHeader, fragmentKeyNumber } from './fragment.js';
import type { DigestedPart } from './walk-objects.js';

/** A data key by the database that it belongs to and its number there. */
export interface NamedDataKey {
  readonly database: DatabaseId;
  readonly number: number;
}

const contentName = /^objects\/[0-9a-f]{4}\/([0-9a-f-]{36})\/(?:carried\/|.*\/(archive$)|.*\/(segments-))/;

/** Of a bundle of segments the given parts, of an archive all of it. `body` was found whole before. */
export function sealedUnder(key: string, body: Buffer, parts: readonly DigestedPart[]): NamedDataKey[] {
  const [isContent, owner, , bundle] = contentName.exec(key) ?? [];
  if (isContent === undefined) return [];
  const database = owner as DatabaseId;
  if (bundle !== undefined) {
    return parts.map(({ offset }) => ({
      database,
      number: dataKeyNumberOf(body.subarray(offset, offset + sealedHeadBytes)),
    }));
  }
  const { fragments, pageIndex } = archivedParts(key, body);
  const found = fragments.map((bytes) => fragmentSealedUnder(key, bytes));
  return pageIndex.length === 0 ? found : [...found, { database, number: dataKeyNumberOf(pageIndex) }];
}

export function fragmentSealedUnder(where: string, bytes: Buffer): NamedDataKey {
  return { database: decodeFragmentHeader(where, bytes).database, number: fragmentKeyNumber(bytes) };
}
