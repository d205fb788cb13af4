import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { commitDefect, type Commit } from '../storage/fragment.js';

/**
 * What an engine process hands over of a database: commits in parts, one after the other, under the numbers that it gave
 * them. Each is checked and gets its time, which grows from commit to commit whatever the clock does.
 */
export class CommitIntake {
  readonly #runtime: Runtime;
  #handed = 0;
  #lastTimeMs = 0;
  #parts: Uint8Array[] = [];

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Number of the last commit that was taken. */
  get handed(): number {
    return this.#handed;
  }

  /** The engine process holds the database as of this commit; what came of the next one is gone. */
  restart({ commit, commitTimeMs }: { readonly commit: number; readonly commitTimeMs: number }): void {
    this.#handed = commit;
    this.#lastTimeMs = commitTimeMs;
    this.#parts = [];
  }

  /** The commit, when this was its last part. Throws `INTERNAL` for one that cannot be the next, or is none. */
  take(number: number, databasePages: number, pages: Uint8Array, last: boolean): Commit | undefined {
    this.#parts.push(pages);
    if (!last) return undefined;
    if (number !== this.#handed + 1) {
      throw new ByocError('INTERNAL', `the engine sent commit ${number} after ${this.#handed}`);
    }
    const timeMs = Math.max(this.#runtime.nowMs(), this.#lastTimeMs + 1);
    const commit: Commit = { number, timeMs, databasePages, pages: this.#parts };
    const defect = commitDefect(commit);
    if (defect !== undefined) throw new ByocError('INTERNAL', `the engine sent commit ${number}, but ${defect}`);
    this.#lastTimeMs = timeMs;
    this.#handed = number;
    this.#parts = [];
    return commit;
  }
}
