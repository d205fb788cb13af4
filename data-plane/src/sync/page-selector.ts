/**
 * Page selectors: a set of 32-bit numbers in the portable format of Roaring bitmaps
 * (https://github.com/RoaringBitmap/RoaringFormatSpec). Clients number pages from 0.
 *
 * The bytes are a client's: every length is checked against what there is before it is believed, and nothing beyond the
 * pages of the database is ever made of it.
 */
import { ByocError } from '../errors/catalogue.js';
import { PageSet } from '../storage/page-set.js';

/** Every container is an array of values or a bitmap. */
const cookieWithoutRuns = 12346;
/** Some containers may be runs; the upper 16 bits are their count less one. */
const cookieWithRuns = 12347;
/** With so few containers a bitmap with runs has no offsets. */
const leastWithOffsets = 4;
const mostValuesOfArray = 4096;
const bitmapBytes = 8192;
const containerSpan = 0x10000;

/** Longest selector: every page of the largest database there may be, as bitmaps. */
export const maxSelectorBytes = 2 * 1024 * 1024;

/** The pages, counted from 1, up to `limit`. Throws `MALFORMED_REQUEST`. */
export function decodePageSelector(bytes: Buffer, limit: number): PageSet {
  if (bytes.length > maxSelectorBytes) throw malformed(`is longer than ${maxSelectorBytes} bytes`);
  const reader = new SelectorReader(bytes);
  const cookie = reader.uint32();
  const hasRuns = (cookie & 0xffff) === cookieWithRuns;
  if (!hasRuns && cookie !== cookieWithoutRuns) throw malformed('does not start like a Roaring bitmap');
  const containers = hasRuns ? (cookie >>> 16) + 1 : reader.uint32();
  if (containers > containerSpan) throw malformed('has more containers than there are');
  const runFlags = hasRuns ? reader.take(Math.ceil(containers / 8)) : undefined;
  const keys: { readonly key: number; readonly values: number }[] = [];
  for (let index = 0; index < containers; index++) {
    const key = reader.uint16();
    if (key <= (keys.at(-1)?.key ?? -1)) throw malformed('has containers that are not in order');
    keys.push({ key, values: reader.uint16() + 1 });
  }
  // They follow each other in order, so where each begins is known without these.
  if (!hasRuns || containers >= leastWithOffsets) reader.take(containers * 4);

  const pages = new PageSet(limit);
  keys.forEach(({ key, values }, index) => {
    const first = key * containerSpan + 1;
    const isRun = runFlags !== undefined && ((runFlags[index >> 3] as number) & (1 << (index & 7))) !== 0;
    if (isRun) addRuns(reader, pages, first);
    else if (values <= mostValuesOfArray) addArray(reader, pages, first, values);
    else addBitmap(reader, pages, first, values);
  });
  if (!reader.isAtEnd) throw malformed('goes on after its end');
  return pages;
}

function addRuns(reader: SelectorReader, pages: PageSet, first: number): void {
  let least = 0;
  for (let runs = reader.uint16(); runs > 0; runs--) {
    const start = reader.uint16();
    const end = start + reader.uint16();
    if (start < least || end >= containerSpan) throw malformed('has runs that are not in order');
    pages.addRange(first + start, first + end);
    least = end + 1;
  }
}

function addArray(reader: SelectorReader, pages: PageSet, first: number, values: number): void {
  for (let before = -1, left = values; left > 0; left--) {
    const value = reader.uint16();
    if (value <= before) throw malformed('has values that are not in order');
    pages.add(first + value);
    before = value;
  }
}

function addBitmap(reader: SelectorReader, pages: PageSet, first: number, values: number): void {
  let found = 0;
  reader.take(bitmapBytes).forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) {
      if ((byte & (1 << bit)) === 0) continue;
      pages.add(first + at * 8 + bit);
      found += 1;
    }
  });
  if (found !== values) throw malformed('has a bitmap that does not hold what it says');
}

class SelectorReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint16(): number {
    return this.take(2).readUInt16LE(0);
  }

  uint32(): number {
    return this.take(4).readUInt32LE(0);
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw malformed('ends too early');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}

function malformed(what: string): ByocError {
  return new ByocError('MALFORMED_REQUEST', `the selector of pages ${what}`);
}
