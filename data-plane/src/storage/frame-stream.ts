/**
 * The commits that follow a generation, as a numbered sequence of pages: frame n is the n-th page that they changed. Numbers
 * depend on stored bytes alone, so they are the same on every node and for ever.
 *
 * A commit lists its pages in one order that never changes, each page once. The last one of a commit is its end.
 */
import type { Sealer } from '../keys/sealing.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { commitBytes, forEachPage, type Commit } from './fragment.js';
import { openingFragment, type ChainPoint, type SealedFragment } from './fragment-chain.js';

export interface Frame {
  readonly page: number;
  /** Size of the database after the commit that this frame is the last one of; of the others 0. */
  readonly databasePages: number;
  readonly content: Uint8Array;
}

/** Where a fragment ends. */
interface Mark {
  readonly frames: number;
  readonly end: ChainPoint;
}

interface OpenedFragment {
  readonly after: ChainPoint;
  readonly commits: readonly Commit[];
  readonly end: ChainPoint;
}

export interface FrameStreamSource {
  readonly runtime: Runtime;
  readonly sealer: () => Sealer;
  /** The fragments after a point, as far as there are any. */
  readonly fragmentsAfter: (from: ChainPoint) => AsyncIterable<SealedFragment>;
}

export interface FramesRead {
  readonly frames: readonly Frame[];
  /** Frames that there are, and the last commit, when the sequence was read to its end. */
  readonly total: number | undefined;
  readonly commit: number | undefined;
}

const recordBytes = 4100;
const commitHeaderBytes = 24;

export class FrameStream {
  readonly #source: FrameStreamSource;
  readonly #marks: Mark[];
  /** The commit of the generation that these frames lead to, once there is one. */
  #lastCommit = Infinity;
  /** The commits of the fragment that was opened last; it is asked for in many parts. */
  #opened: OpenedFragment | undefined;

  constructor(source: FrameStreamSource, start: ChainPoint) {
    this.#source = source;
    this.#marks = [{ frames: 0, end: start }];
  }

  /** Frames that there are now, and the last commit. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
  async end(): Promise<{ readonly total: number; readonly commit: number }> {
    const last = this.#marks.at(-1) as Mark;
    const { total, commit } = await this.read(last.frames + 1, 1, true);
    return { total: total as number, commit: commit as number };
  }

  /** Whether it is known where the frames end. */
  get isEnded(): boolean {
    return this.#lastCommit !== Infinity;
  }

  /**
   * The next generation holds everything up to this commit, and what follows belongs to that one. Commits beyond it may have
   * been read here before it was made.
   */
  endAt(commit: number): void {
    this.#lastCommit = commit;
    while ((this.#marks.at(-1) as Mark).end.commit > commit && this.#marks.length > 1) this.#marks.pop();
    if (this.#opened && this.#opened.end.commit > commit) this.#opened = undefined;
  }

  /** At most `count` frames from number `first` on, which counts from 1. Throws as `end` does. */
  async read(first: number, count: number, toEnd = false): Promise<FramesRead> {
    const frames: Frame[] = [];
    let at = this.#markBefore(first);
    let mark = this.#marks[at] as Mark;
    const isEnough = (): boolean => frames.length >= count && !toEnd;
    const take = ({ commits, end }: OpenedFragment): void => {
      let number = mark.frames;
      for (const commit of commits) {
        const pages = pagesOf(commit);
        if (number + pages >= first && frames.length < count) collect(commit, pages, number, first, count, frames);
        number += pages;
      }
      at += 1;
      mark = { frames: number, end };
      if (at === this.#marks.length && end.commit <= this.#lastCommit) this.#marks.push(mark);
    };
    if (this.#opened && this.#opened.after.commit === mark.end.commit) take(this.#opened);
    if (isEnough()) return { frames, total: undefined, commit: undefined };
    const { runtime, sealer, fragmentsAfter } = this.#source;
    const turns = new Turns(runtime, 'background');
    let after = mark.end;
    for await (const sealed of fragmentsAfter(after)) {
      const { commits, after: end } = await turns.run(openingFragment(sealer(), sealed));
      const opened = { after, commits, end };
      if (end.commit <= this.#lastCommit) this.#opened = opened;
      take(opened);
      after = end;
      if (isEnough()) return { frames, total: undefined, commit: undefined };
    }
    return { frames, total: mark.frames, commit: mark.end.commit };
  }

  /** Forgets the content of what was opened. */
  forget(): void {
    this.#opened = undefined;
  }

  #markBefore(first: number): number {
    let low = 0;
    for (let high = this.#marks.length - 1; low < high;) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#marks[middle] as Mark).frames < first) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function pagesOf(commit: Commit): number {
  return (commitBytes(commit) - commitHeaderBytes) / recordBytes;
}

/** Takes those frames of a commit that begins after frame `before`. */
function collect(commit: Commit, pages: number, before: number, first: number, count: number, into: Frame[]): void {
  let number = before;
  forEachPage(commit, (page, content) => {
    number += 1;
    if (number < first || into.length >= count) return;
    into.push({ page, databasePages: number === before + pages ? commit.databasePages : 0, content });
  });
}
