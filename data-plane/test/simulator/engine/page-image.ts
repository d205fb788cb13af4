/**
 * How the model engine keeps a database in pages of 4,096 bytes, so that an image that is not exactly one committed state
 * gives itself away.
 *
 * Page 1 starts like the empty database that storage makes. Behind the header stand the number of the last commit, a digest
 * of the whole history up to it, and for every page the commit that wrote it last. Every other page carries its own number,
 * the commit that wrote it, a digest, and some of the keys and values. A page that is stale, torn, missing or another
 * database's therefore does not fit page 1.
 */
import { createHash } from 'node:crypto';

export const pageBytes = 4096;
/** More pages than this do not fit the table in page 1. */
export const maxPages = 700;

const magic = 0x53494d31;
const at = { magic: 200, database: 204, commit: 220, history: 228, pages: 260, table: 264 };
const pageHeaderBytes = 40;
/** What a page can hold of keys and values, as JSON. */
export const pageCapacityBytes = pageBytes - pageHeaderBytes;

export type Entries = ReadonlyMap<string, string>;

export interface PageImage {
  readonly commit: number;
  /** Digest of everything that ever happened to the database, hex. */
  readonly history: string;
  /** What each page holds; index 0 is page 2. */
  readonly pages: readonly Entries[];
  /** The commit that wrote each of these pages last. */
  readonly writtenBy: readonly number[];
}

export const emptyImage: PageImage = { commit: 0, history: '0'.repeat(64), pages: [], writtenBy: [] };

/** Thrown when a file is not exactly one committed state. */
export class TornImageError extends Error {}

/**
 * Reads a whole file of a database; `line` names the databases that it was branched from, the oldest first, and itself
 * last: what was not written since is theirs. Throws `TornImageError`.
 */
export function readImage(line: readonly string[], file: Buffer): PageImage {
  if (file.length === 0 || file.length % pageBytes !== 0) throw new TornImageError(`it has ${file.length} bytes`);
  const total = file.length / pageBytes;
  const marked = file.readUInt32LE(at.magic);
  if (marked === 0) {
    if (total !== 1) throw new TornImageError(`page 1 was never written, though there are ${total} pages`);
    return emptyImage;
  }
  if (marked !== magic) throw new TornImageError('page 1 is not page 1');
  const owner = file.toString('hex', at.database, at.database + 16);
  const place = line.findIndex((database) => database.replaceAll('-', '') === owner);
  if (place < 0) {
    throw new TornImageError('it is the image of another database');
  }
  const commit = Number(file.readBigUInt64LE(at.commit));
  const history = file.toString('hex', at.history, at.history + 32);
  if (file.readUInt32LE(at.pages) !== total) {
    throw new TornImageError(
      `page 1 of commit ${commit} knows ${file.readUInt32LE(at.pages)} pages, there are ${total}`,
    );
  }
  const pages: Entries[] = [];
  const writtenBy: number[] = [];
  for (let page = 2; page <= total; page++) {
    const expected = file.readUInt32LE(at.table + (page - 2) * 4);
    const bytes = file.subarray((page - 1) * pageBytes, page * pageBytes);
    if (bytes.readUInt32LE(0) !== page) throw new TornImageError(`page ${page} is page ${bytes.readUInt32LE(0)}`);
    if (bytes.readUInt32LE(4) !== expected) {
      throw new TornImageError(
        `page ${page} is of commit ${bytes.readUInt32LE(4)}, in commit ${commit} it is of ${expected}`,
      );
    }
    const length = bytes.readUInt32LE(8);
    const content = bytes.subarray(pageHeaderBytes, pageHeaderBytes + length);
    const matches = (database: string): boolean =>
      pageDigest(database, bytes.subarray(0, 12), content).equals(bytes.subarray(12, 36));
    if (!line.slice(0, place + 1).some(matches)) throw new TornImageError(`page ${page} does not match its digest`);
    const text = bytes.toString('utf8', pageHeaderBytes, pageHeaderBytes + length);
    pages.push(new Map(JSON.parse(text) as [string, string][]));
    writtenBy.push(expected);
  }
  return { commit, history, pages, writtenBy };
}

/** Page 1 of an image, on top of the empty database's. */
export function encodeFirstPage(database: string, emptyPage: Buffer, image: PageImage): Buffer {
  const page = Buffer.from(emptyPage);
  page.writeUInt32LE(magic, at.magic);
  Buffer.from(database.replaceAll('-', ''), 'hex').copy(page, at.database);
  page.writeBigUInt64LE(BigInt(image.commit), at.commit);
  page.write(image.history, at.history, 'hex');
  page.writeUInt32LE(image.pages.length + 1, at.pages);
  image.writtenBy.forEach((commit, index) => page.writeUInt32LE(commit, at.table + index * 4));
  return page;
}

/** Page `number` (from 2) as `commit` writes it. */
export function encodePage(database: string, number: number, commit: number, entries: Entries): Buffer {
  const page = Buffer.alloc(pageBytes);
  const content = encodeEntries(entries);
  page.writeUInt32LE(number, 0);
  page.writeUInt32LE(commit, 4);
  page.writeUInt32LE(content.length, 8);
  pageDigest(database, page.subarray(0, 12), content).copy(page, 12);
  content.copy(page, pageHeaderBytes);
  return page;
}

export function encodeEntries(entries: Entries): Buffer {
  return Buffer.from(JSON.stringify([...entries]));
}

function pageDigest(database: string, head: Buffer, content: Buffer): Buffer {
  return createHash('sha256').update(database).update(head).update(content).digest().subarray(0, 24);
}
