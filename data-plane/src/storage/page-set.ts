/** A set of pages of one database, as a bitmap: an eighth of a byte for each page that the database has. */
export class PageSet implements Iterable<number> {
  readonly #bits: Uint8Array;
  /** The highest page that the set can hold. */
  readonly limit: number;

  /** An empty set of pages from 1 to `limit`. */
  constructor(limit: number) {
    this.limit = limit;
    this.#bits = new Uint8Array(Math.ceil(limit / 8));
  }

  static all(limit: number): PageSet {
    return new PageSet(limit).addRange(1, limit);
  }

  /** A page beyond the limit is left out. */
  add(page: number): this {
    return this.addRange(page, page);
  }

  /** Adds the pages from `first` to `last`, as far as the limit allows. */
  addRange(first: number, last: number): this {
    const end = Math.min(last, this.limit);
    for (let page = Math.max(first, 1); page <= end;) {
      const bit = page - 1;
      if ((bit & 7) === 0 && page + 7 <= end) {
        this.#bits[bit >> 3] = 0xff;
        page += 8;
      } else {
        this.#bits[bit >> 3] = (this.#bits[bit >> 3] as number) | (1 << (bit & 7));
        page += 1;
      }
    }
    return this;
  }

  has(page: number): boolean {
    const bit = page - 1;
    return bit >= 0 && bit < this.limit && ((this.#bits[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
  }

  /** Leaves only what is in the other set, too. */
  keepOnly(other: PageSet): this {
    for (let at = 0; at < this.#bits.length; at++) {
      this.#bits[at] = (this.#bits[at] as number) & (other.#bits[at] ?? 0);
    }
    return this;
  }

  get isEmpty(): boolean {
    return this.#bits.every((byte) => byte === 0);
  }

  get size(): number {
    return [...this].length;
  }

  /** In ascending order. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#bits.length; at++) {
      const byte = this.#bits[at] as number;
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) yield at * 8 + bit + 1;
    }
  }
}
