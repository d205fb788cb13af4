/**
 * Long computations on the thread that serves everybody. They are written as work in steps; after a bounded amount of it
 * everything else that is ready goes first.
 *
 * Of all computations that wait, one goes on per turn of the event loop. So what a request can be held up by does not
 * grow with how many there are: one slice of one of them in each turn.
 */
import type { Runtime } from './runtime.js';

/** A computation in steps of bounded size: each yield tells how many bytes it has worked on since the one before. */
export type Work<Result> = Generator<number, Result, undefined>;

/** `commit`: clients wait for it. `background`: nobody does. The two take turns, so that neither holds the other up. */
export type WorkKind = 'commit' | 'background';

/** No step of a computation works on more bytes than this: 0.1 to 0.2 ms of encryption. */
export const stepBytes = 64 * 1024;

/** What one computation may work on before it waits for its next turn: about half a millisecond of encryption. */
const sliceBytes = 3 * stepBytes;

/** Lets those that wait go on, one per turn of the event loop, in order within their kind. */
export class TurnQueue {
  readonly #waiting: Record<WorkKind, (() => void)[]> = { commit: [], background: [] };
  #last: WorkKind = 'background';
  #isArmed = false;

  /** `nextTurn` calls its argument in a later turn of the event loop. */
  constructor(private readonly nextTurn: (run: () => void) => void) {}

  /** Resolves when it is this one's turn. */
  async take(kind: WorkKind): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting[kind].push(resolve);
      this.#arm();
    });
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.nextTurn(() => {
      this.#isArmed = false;
      const other = this.#last === 'commit' ? 'background' : 'commit';
      this.#last = this.#waiting[other].length > 0 ? other : this.#last;
      this.#waiting[this.#last].shift()?.();
      if (this.#waiting.commit.length > 0 || this.#waiting.background.length > 0) this.#arm();
    });
  }
}

/** The turns of one computation. */
export class Turns {
  readonly #runtime: Runtime;
  readonly #kind: WorkKind;
  #workedBytes = 0;

  constructor(runtime: Runtime, kind: WorkKind) {
    this.#runtime = runtime;
    this.#kind = kind;
  }

  /** Does the work, in as many turns as it needs; what fits into the present one is done at once. Throws what it throws. */
  async run<Result>(work: Work<Result>): Promise<Result> {
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
      if (this.#spend(step.value)) await this.#runtime.turn(this.#kind);
    }
  }

  /** Counts `bytes` that were worked on otherwise; resolves when more may be done. */
  async spent(bytes: number): Promise<void> {
    if (this.#spend(bytes)) await this.#runtime.turn(this.#kind);
  }

  #spend(bytes: number): boolean {
    this.#workedBytes += bytes;
    if (this.#workedBytes < sliceBytes) return false;
    this.#workedBytes = 0;
    return true;
  }
}

/** Does the work in one go: for what is small. */
export function atOnce<Result>(work: Work<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
