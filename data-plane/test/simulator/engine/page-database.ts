/**
 * A key-value database in pages, with transactions: the part of the model engine that stands for SQLite. It works on an
 * image in memory and turns every commit into the pages that it changed.
 */
import { createHash } from 'node:crypto';
import {
  encodeEntries,
  encodeFirstPage,
  encodePage,
  maxPages,
  pageBytes,
  pageCapacityBytes,
  readImage,
  type Entries,
  type PageImage,
} from './page-image.js';

/** What a transaction has done so far; `null` removes a key. */
export type Changes = ReadonlyMap<string, string | null>;

export interface PageCommit {
  readonly commit: number;
  /** Digests of the history that ends here, and of the one that ended before. */
  readonly history: string;
  readonly previous: string;
  readonly databasePages: number;
  /** Page records as the engine ships them: u32 page number, page. */
  readonly pages: Buffer;
}

export class PageDatabase {
  readonly database: string;
  readonly #emptyPage: Buffer;
  #image: PageImage;
  /** In which page (index as in the image) each key is. */
  #places = new Map<string, number>();

  /** Reads `file`; `line` as for `readImage`. Throws `TornImageError`. */
  constructor(line: readonly string[], file: Buffer) {
    this.database = line.at(-1) ?? '';
    this.#image = readImage(line, file);
    this.#emptyPage = Buffer.from(file.subarray(0, pageBytes));
    this.#findPlaces();
  }

  get commit(): number {
    return this.#image.commit;
  }

  get history(): string {
    return this.#image.history;
  }

  get pages(): number {
    return this.#image.pages.length + 1;
  }

  get(key: string): string | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#image.pages[place]?.get(key);
  }

  /** Everything, as it is committed. */
  snapshot(): Map<string, string> {
    return new Map(this.#image.pages.flatMap((entries) => [...entries]));
  }

  /** Makes `changes` the next commit. `salt` tells this execution of it from every other one. */
  apply(changes: Changes, salt: Buffer): PageCommit {
    const pages = this.#image.pages.map((entries) => new Map(entries));
    const dirty = new Set<number>();
    for (const [key, value] of changes) {
      const place = this.#places.get(key);
      if (place !== undefined) {
        pages[place]?.delete(key);
        dirty.add(place);
      }
      if (value === null) continue;
      const holder = placeFor(pages, key, value, place);
      pages[holder] ??= new Map();
      pages[holder].set(key, value);
      dirty.add(holder);
    }
    return this.#commit(pages, dirty, [...changes], salt);
  }

  /** Rewrites everything into as few pages as it takes, as VACUUM does, and gives the rest back. */
  compact(salt: Buffer): PageCommit {
    const pages: Map<string, string>[] = [];
    for (const [key, value] of [...this.snapshot()].sort(([one], [other]) => (one < other ? -1 : 1))) {
      const holder = placeFor(pages, key, value, undefined);
      pages[holder] ??= new Map();
      pages[holder].set(key, value);
    }
    return this.#commit(pages, new Set(pages.keys()), [['compact', '']], salt);
  }

  #commit(
    pages: Entries[],
    dirty: ReadonlySet<number>,
    happened: readonly (readonly [string, string | null])[],
    salt: Buffer,
  ): PageCommit {
    if (pages.length + 1 > maxPages) throw new RangeError('the model database is full');
    const previous = this.#image.history;
    const commit = this.#image.commit + 1;
    const history = createHash('sha256')
      .update(`${previous} ${commit} ${JSON.stringify(happened)} `)
      .update(salt)
      .digest('hex');
    const writtenBy = pages.map((_, index) => (dirty.has(index) ? commit : (this.#image.writtenBy[index] ?? commit)));
    this.#image = { commit, history, pages, writtenBy };
    this.#findPlaces();
    const records = [encodeFirstPage(this.database, this.#emptyPage, this.#image)];
    const numbers = [1];
    for (const index of [...dirty].sort((one, other) => one - other)) {
      numbers.push(index + 2);
      records.push(encodePage(this.database, index + 2, commit, pages[index] ?? new Map()));
    }
    const shipped = Buffer.concat(
      records.flatMap((page, index) => {
        const number = Buffer.allocUnsafe(4);
        number.writeUInt32LE(numbers[index] ?? 0);
        return [number, page];
      }),
    );
    return { commit, history, previous, databasePages: pages.length + 1, pages: shipped };
  }

  #findPlaces(): void {
    this.#places = new Map();
    this.#image.pages.forEach((entries, index) => {
      for (const key of entries.keys()) this.#places.set(key, index);
    });
  }
}

/** The page that a value goes into: where it was if it fits, otherwise the first one with room, otherwise a new one. */
function placeFor(pages: readonly Entries[], key: string, value: string, before: number | undefined): number {
  const fits = (index: number): boolean =>
    encodeEntries(new Map([...(pages[index] ?? []), [key, value]])).length <= pageCapacityBytes;
  if (before !== undefined && fits(before)) return before;
  const first = pages.findIndex((_, index) => fits(index));
  return first < 0 ? pages.length : first;
}
