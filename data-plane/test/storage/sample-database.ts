/** A model of a database for tests of storage: what every commit did, and what the file must hold after each. */
import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import { Sealer } from '../../src/keys/sealing.js';
import type { Runtime } from '../../src/runtime.js';
import { pageBytes, type Commit } from '../../src/storage/fragment.js';
import type { SeededRandom } from '../seeded-random.js';

export const deployment = 'd'.repeat(32);
export const databaseA = '11111111-2222-4333-8444-555555555555' as DatabaseId;
export const databaseB = '99999999-8888-4777-8666-555555555555' as DatabaseId;
export const epochA = 'a'.repeat(32) as NodeEpoch;
export const epochB = 'b'.repeat(32) as NodeEpoch;
export const epochC = 'c'.repeat(32) as NodeEpoch;

/** A sealer with data key number 1. Every database has its own key unless `keyByte` says so. */
export function sampleSealer(
  runtime: Runtime,
  database: DatabaseId = databaseA,
  keyByte = database.charCodeAt(0),
): Sealer {
  return new Sealer(runtime, deployment, database, { current: 1, keys: new Map([[1, Buffer.alloc(32, keyByte)]]) });
}

export function pageRecord(page: number, content: Uint8Array): Buffer {
  const record = Buffer.alloc(4 + pageBytes);
  record.writeUInt32LE(page);
  record.set(content, 4);
  return record;
}

/** A page whose content is recognizable. */
export function pageOf(text: string): Buffer {
  return Buffer.alloc(pageBytes, `${text};`);
}

export class SampleDatabase {
  /** The content after every commit; [0] is before the first. */
  readonly images: Buffer[] = [];
  readonly commits: Commit[] = [];
  #pages: Buffer[];

  constructor(empty: Buffer = Buffer.alloc(pageBytes)) {
    this.#pages = [empty];
    this.images.push(empty);
  }

  get image(): Buffer {
    return this.images.at(-1) as Buffer;
  }

  get databasePages(): number {
    return this.#pages.length;
  }

  /** Makes the next commit: changes these pages (from 1) and leaves the database with `databasePages` pages. */
  write(databasePages: number, changes: ReadonlyMap<number, Buffer>, parts = 1): Commit {
    const zero = Buffer.alloc(pageBytes);
    this.#pages = Array.from({ length: databasePages }, (_, index) => this.#pages[index] ?? zero);
    for (const [page, content] of changes) this.#pages[page - 1] = content;
    const records = [...changes].map(([page, content]) => pageRecord(page, content));
    const perPart = Math.max(1, Math.ceil(records.length / parts));
    const pages: Buffer[] = [];
    for (let start = 0; start < records.length; start += perPart) {
      pages.push(Buffer.concat(records.slice(start, start + perPart)));
    }
    const number = this.commits.length + 1;
    const commit: Commit = { number, timeMs: 1_000 + number, databasePages, pages };
    this.commits.push(commit);
    this.images.push(Buffer.concat(this.#pages));
    return commit;
  }

  /** Forgets everything after this commit: a successor goes on from there. */
  rewindTo(commit: number): void {
    this.commits.length = commit;
    this.images.length = commit + 1;
    const image = this.image;
    this.#pages = Array.from({ length: image.length / pageBytes }, (_, index) =>
      image.subarray(index * pageBytes, (index + 1) * pageBytes),
    );
  }

  /** A database of its own that begins as this one was after a commit. */
  fork(commit: number): SampleDatabase {
    const child = new SampleDatabase(this.images[0]);
    child.images.splice(0, 1, ...this.images);
    child.commits.push(...this.commits);
    child.rewindTo(commit);
    return child;
  }

  /** A random commit: mostly a few pages, sometimes growing or shrinking, within `maxPages`. */
  writeRandomly(random: SeededRandom, maxPages: number): Commit {
    const size = this.databasePages;
    const kind = random.below(10);
    let databasePages = size;
    if (kind < 4) databasePages = Math.min(maxPages, size + 1 + random.below(maxPages / 4));
    else if (kind === 4) databasePages = 1 + random.below(size);
    const changes = new Map([[1, pageOf(`commit ${this.commits.length + 1} page 1`)]]);
    for (let left = random.below(6); left > 0; left--) {
      const page = 1 + random.below(databasePages);
      changes.set(page, pageOf(`commit ${this.commits.length + 1} page ${page}`));
    }
    return this.write(databasePages, changes, 1 + random.below(3));
  }
}
