/**
 * The pages of a database as they were after one commit, read from the store: the generation before it, and what the
 * commits since then wrote. No engine, no local file; any number of commits may follow meanwhile.
 *
 * Bounded memory: of the commits only is remembered which of them wrote each page last, and their content is kept when it
 * is little. More is read a second time, as it is asked for.
 */
import { ByocError } from '../errors/catalogue.js';
import { Turns } from '../turns.js';
import { readArchivedCommits, readPageIndex, type IndexedCommit } from './archive.js';
import { BaseSegments } from './base-segments.js';
import { forEachPage, pageBytes, type Commit } from './fragment.js';
import { openingFragment, type ChainStart } from './fragment-chain.js';
import {
  pagesPerSegment,
  readGeneration,
  readSegmentList,
  segmentsPerList,
  type Generation,
  type SegmentReference,
} from './generation.js';
import type { GenerationReference } from './manifest.js';
import { isBeyond } from './moment.js';
import { PageSet } from './page-set.js';
import { chainPoint } from './restore.js';
import { findRestorePoint, type HistoryInput } from './restore-point.js';

export interface PageContent {
  /** Counts from 1. */
  readonly page: number;
  /** 4,096 bytes, with the bytes that are kept free at their end. */
  readonly content: Uint8Array;
}

export interface SnapshotOptions {
  /**
   * Only what was written after this commit is going to be read; then less is read to begin with. The commit must not be
   * later than the snapshot's.
   */
  readonly since?: number;
}

/** Commits of this many bytes are kept, so that they need not be read again. */
const keptCommitBytes = 4 * 2 ** 20;

/** What is needed of one commit to lay it over those before. */
type WrittenCommit = Pick<IndexedCommit, 'number' | 'timeMs' | 'databasePages' | 'pages'>;

export class DatabaseSnapshot {
  readonly #input: HistoryInput;
  readonly #base: GenerationReference | undefined;
  readonly #generation: Generation | undefined;
  /** From where on commits were laid over the base. */
  readonly #from: number;
  /** Which commit wrote a page last. */
  readonly #lastWrite = new Map<number, number>();
  /** Pages of the base up to this one were never cut off. */
  #keptPages: number;
  #readAgain: (numbers: ReadonlySet<number>) => AsyncIterable<readonly Commit[]> = async function* () {};
  #fromTimeMs: number | undefined;
  commit: number;
  commitTimeMs: number;
  databasePages: number;

  /**
   * The snapshot after `commit`, or after the last commit there is (`Infinity`). What `input` names must stay readable as
   * long as `changed` is read. Throws `RESTORE_POINT_NOT_FOUND` for a commit that is not kept any more or that there is
   * not, `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT`.
   */
  static async open(input: HistoryInput, commit: number, { since }: SnapshotOptions = {}): Promise<DatabaseSnapshot> {
    const { runtime, dataStore, sealer, manifest } = input;
    const point = await findRestorePoint(input, { commit });
    const generation = point.base && (await readGeneration(runtime, dataStore, sealer, point.base));
    const base = chainPoint(generation);
    const isLate = since !== undefined && since > base.commit;
    const snapshot = new DatabaseSnapshot(input, point.base, generation, isLate ? since : base.commit);
    if (point.next) await snapshot.#layIndexed(point.next, commit);
    // The commit itself is read, too, for what was the size of the database then.
    else await snapshot.#layFragments(point.fragmentsAfter, isLate ? { commit: since - 1 } : base, commit);
    if (commit !== Infinity && snapshot.commit !== commit) {
      throw new ByocError(
        'RESTORE_POINT_NOT_FOUND',
        `database ${manifest.id} has no commit ${commit} yet; its last one is ${snapshot.commit}`,
      );
    }
    return snapshot;
  }

  private constructor(
    input: HistoryInput,
    base: GenerationReference | undefined,
    generation: Generation | undefined,
    from: number,
  ) {
    this.#input = input;
    this.#base = base;
    this.#generation = generation;
    this.#from = from;
    const { commit, commitTimeMs } = chainPoint(generation);
    this.commit = commit;
    this.commitTimeMs = commitTimeMs;
    this.databasePages = generation?.databasePages ?? 1;
    this.#keptPages = this.databasePages;
    if (from === commit) this.#fromTimeMs = commitTimeMs;
  }

  /** The generation that it begins with; absent where the database was still empty. */
  get base(): GenerationReference | undefined {
    return this.#base;
  }

  /** The commit from which on changes are known: the base's, or the one that `since` named. */
  get changesKnownFrom(): number {
    return this.#from;
  }

  /** The time of that commit; undefined when there is none such. */
  get changesKnownFromTimeMs(): number | undefined {
    return this.#fromTimeMs;
  }

  /** The pages that were written, or came new, after `changesKnownFrom`. */
  writtenPages(): PageSet {
    const written = new PageSet(this.databasePages).addRange(this.#keptPages + 1, this.databasePages);
    for (const page of this.#lastWrite.keys()) written.add(page);
    return written;
  }

  /** Of the wanted pages those that commits after the base wrote, in the order of their commits. Throws as `open`. */
  async *changed(wanted: PageSet): AsyncGenerator<PageContent[]> {
    const numbers = new Set<number>();
    for (const [page, number] of this.#lastWrite) if (wanted.has(page)) numbers.add(number);
    if (numbers.size === 0) return;
    let found = 0;
    let expected = 0;
    for (const page of this.#lastWrite.keys()) if (wanted.has(page)) expected += 1;
    for await (const commits of this.#readAgain(numbers)) {
      for (const commit of commits) {
        if (!numbers.has(commit.number)) continue;
        const pages: PageContent[] = [];
        forEachPage(commit, (page, content) => {
          if (wanted.has(page) && this.#lastWrite.get(page) === commit.number) pages.push({ page, content });
        });
        found += pages.length;
        if (pages.length > 0) yield pages;
      }
    }
    if (found === expected) return;
    throw new ByocError(
      'STORE_OBJECT_CORRUPT',
      `the history of database ${this.#input.manifest.id} lacks pages that it names`,
    );
  }

  /** All other wanted pages, in ascending order, those of a segment together. Throws as `open`. */
  async *unchanged(wanted: PageSet): AsyncGenerator<PageContent[]> {
    let list = -1;
    let first = 0;
    let references: readonly SegmentReference[] = [];
    let segments: BaseSegments | undefined;
    for (const [segment, pages] of bySegment(this.#pagesNotWritten(wanted))) {
      const kept = pages.filter((page) => page <= this.#keptPages);
      const empty = pages.filter((page) => page > this.#keptPages);
      if (empty.length > 0) yield empty.map((page) => ({ page, content: Buffer.alloc(pageBytes) }));
      if (kept.length === 0) continue;
      if (Math.floor(segment / segmentsPerList) !== list) {
        list = Math.floor(segment / segmentsPerList);
        first = list * segmentsPerList;
        references = await this.#segmentList(list);
        segments = new BaseSegments(
          { ...this.#input, ...this.#stored(), ...(this.#generation && { base: this.#generation }) },
          references,
          first,
        );
      }
      // Whoever wants the end of a segment most often wants the next one.
      const withNext = wanted.has((segment + 1) * pagesPerSegment + 1);
      const content = (await segments?.read(segment, withNext)) ?? Buffer.alloc(0);
      yield kept.map((page) => {
        const at = (page - 1 - segment * pagesPerSegment) * pageBytes;
        const bytes = content.subarray(at, at + pageBytes);
        if (bytes.length === pageBytes) return { page, content: bytes };
        throw new ByocError('STORE_OBJECT_CORRUPT', `segment ${segment} of ${this.#input.manifest.id} is too short`);
      });
    }
  }

  #stored(): { store: HistoryInput['dataStore']; reservedBytes: number } {
    return { store: this.#input.dataStore, reservedBytes: this.#input.manifest.reservedBytes };
  }

  async #segmentList(list: number): Promise<readonly SegmentReference[]> {
    const { runtime, dataStore, sealer } = this.#input;
    if (!this.#generation) return [];
    return readSegmentList(runtime, dataStore, sealer.line, this.#generation, list);
  }

  *#pagesNotWritten(wanted: PageSet): Generator<number> {
    for (const page of wanted) {
      if (page > this.databasePages) return;
      if (this.#lastWrite.has(page)) continue;
      if (page <= this.#keptPages && this.#from !== chainPoint(this.#generation).commit) {
        throw new Error(`page ${page} is asked of a snapshot that knows only what was written since ${this.#from}`);
      }
      yield page;
    }
  }

  /** Lays the commits of an archive over the base, up to one of them. */
  async #layIndexed(next: GenerationReference, upTo: number): Promise<void> {
    const { runtime, dataStore, sealer } = this.#input;
    const index = await readPageIndex(runtime, dataStore, sealer, next);
    const byNumber = new Map<number, IndexedCommit>();
    for (const commit of index) {
      if (commit.number > upTo) break;
      byNumber.set(commit.number, commit);
      this.#lay(commit);
    }
    this.#readAgain = (numbers) => {
      const named = new Map([...numbers].map((number) => [number, byNumber.get(number) as IndexedCommit]));
      return readArchivedCommits(runtime, dataStore, sealer, next, named);
    };
  }

  /** Lays what follows `start` over the base, up to one commit. */
  async #layFragments(
    fragmentsAfter: Awaited<ReturnType<typeof findRestorePoint>>['fragmentsAfter'],
    start: ChainStart,
    upTo: number,
  ): Promise<void> {
    const { runtime, sealer } = this.#input;
    const turns = new Turns(runtime, 'background');
    const read = async function* (): AsyncGenerator<readonly Commit[]> {
      for await (const fragment of fragmentsAfter(start)) {
        const { commits } = await turns.run(openingFragment(sealer, fragment));
        yield commits.filter(({ number }) => !isBeyond({ commit: upTo }, number, 0));
      }
    };
    let kept: (readonly Commit[])[] | undefined = [];
    let keptBytes = 0;
    for await (const commits of read()) {
      for (const commit of commits) this.#lay({ ...commit, pages: pagesOf(commit) });
      keptBytes += commits.reduce((sum, { pages }) => pages.reduce((bytes, part) => bytes + part.byteLength, sum), 0);
      if (keptBytes > keptCommitBytes) kept = undefined;
      kept?.push(commits);
      if ((commits.at(-1)?.number ?? 0) >= upTo) break;
    }
    const { commit } = this;
    const again = async function* (): AsyncGenerator<readonly Commit[]> {
      for await (const commits of read()) {
        // Read anew, there may be more of them by now.
        const within = commits.filter(({ number }) => number <= commit);
        if (within.length > 0) yield within;
        if (within.length < commits.length) return;
      }
    };
    const inMemory = kept;
    this.#readAgain = inMemory ? () => fromMemory(inMemory) : again;
  }

  #lay({ number, timeMs, databasePages, pages }: WrittenCommit): void {
    this.commit = number;
    this.commitTimeMs = timeMs;
    if (number === this.#from) {
      this.#keptPages = databasePages;
      this.#fromTimeMs = timeMs;
    }
    if (number > this.#from) {
      // A page that was cut off is gone: when the database grows again it is empty.
      if (databasePages < this.databasePages) {
        for (const page of this.#lastWrite.keys()) if (page > databasePages) this.#lastWrite.delete(page);
      }
      this.#keptPages = Math.min(this.#keptPages, databasePages);
      for (const page of pages) if (page <= databasePages) this.#lastWrite.set(page, number);
    }
    this.databasePages = databasePages;
  }
}

async function* fromMemory(kept: readonly (readonly Commit[])[]): AsyncGenerator<readonly Commit[]> {
  yield* kept;
}

function pagesOf(commit: Commit): number[] {
  const pages: number[] = [];
  forEachPage(commit, (page) => pages.push(page));
  return pages;
}

/** Pages in ascending order, by the segment that they lie in. */
function* bySegment(pages: Iterable<number>): Generator<[segment: number, pages: number[]]> {
  let segment = -1;
  let together: number[] = [];
  for (const page of pages) {
    const own = Math.floor((page - 1) / pagesPerSegment);
    if (own !== segment && together.length > 0) {
      yield [segment, together];
      together = [];
    }
    segment = own;
    together.push(page);
  }
  if (together.length > 0) yield [segment, together];
}
