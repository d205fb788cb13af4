/**
 * Frames that replicas wrote offline, on their way to become commits. A replica sends its frames in parts that may end within
 * a transaction; what is there of one waits in memory, under a baton, for the rest.
 *
 * Invariant: a transaction is handed to the engine whole, and only when nothing was committed since the frames that the
 * replica wrote it after. One that was taken before, and whose answer was lost, is recognized by its content.
 */
import { ByocError } from '../errors/catalogue.js';
import type { MemoryBudget } from '../memory-budget.js';
import type { Runtime } from '../runtime.js';
import { pageBytes } from '../storage/fragment.js';
import type { Frame } from '../storage/frame-stream.js';
import type { FileOperation, FileRequest } from './file-request.js';
import { unsynchronizedGeneration, type ReplicaHistory, type ReplicaPlace } from './replica-history.js';

export const walFrameBytes = 24 + pageBytes;

/** Bytes of transactions that are handed on at once, or wait for their rest; how many wait, and how long. */
const mostPushedBytes = 56 * 2 ** 20;
const mostWaiting = 4;
const waitMs = 30_000;

/** What a replica is told. */
export interface PushAnswer {
  readonly status: 'ok' | 'conflict';
  readonly generation: number;
  readonly max_frame_no: number;
  readonly baton?: string;
}

type Push = Extract<FileOperation, { kind: 'replica-push' }>;
type History = Pick<ReplicaHistory, 'heightOf' | 'numberOf' | 'read' | 'settled' | 'tip'>;
type Commit = (afterCommit: number, frames: readonly Uint8Array[], request: FileRequest) => Promise<string>;

/** The beginning of a transaction. */
interface Waiting {
  readonly generation: number;
  /** Number of its first frame. */
  readonly first: number;
  readonly frames: readonly Uint8Array[];
  readonly cancel: () => void;
}

export class ReplicaPushes {
  readonly #runtime: Runtime;
  readonly #budget: MemoryBudget;
  readonly #history: History;
  readonly #commit: Commit;
  readonly #waiting = new Map<string, Waiting>();
  #last: Promise<unknown> = Promise.resolve();

  /** `budget`: what beginnings of transactions may take, of other databases too. */
  constructor(runtime: Runtime, budget: MemoryBudget, history: History, commit: Commit) {
    this.#runtime = runtime;
    this.#budget = budget;
    this.#history = history;
    this.#commit = commit;
  }

  /**
   * One after the other. Throws `REPLICA_PUSH_INVALID`, `REPLICA_PUSH_BROKEN`, `REPLICA_UNKNOWN_POSITION`,
   * `TRANSACTION_TOO_LARGE`, and what `commit` throws; `OVERLOADED` when there is no memory for what would have to wait:
   * nothing of the part was taken then, and what it goes on from still waits.
   */
  async take(push: Push, request: FileRequest): Promise<PushAnswer> {
    const taking = this.#last.then(
      async () => this.#take(push, request),
      async () => this.#take(push, request),
    );
    this.#last = taking.catch(() => undefined);
    return taking;
  }

  forget(): void {
    for (const baton of this.#waiting.keys()) this.#drop(baton);
  }

  async #take(push: Push, request: FileRequest): Promise<PushAnswer> {
    const { start, end, baton } = push;
    const sent = framesOf(request.body, end - start);
    const generation = await this.#generationOf(push);
    const before = baton === undefined ? undefined : this.#beginning(baton, generation, start);
    const first = before?.first ?? start;
    const begun = before?.frames ?? [];
    const frames = [...begun, ...sent];
    if (bytesOf(frames) > mostPushedBytes) {
      if (baton !== undefined) this.#drop(baton);
      throw new ByocError('TRANSACTION_TOO_LARGE', `a pushed transaction may have ${mostPushedBytes} bytes`);
    }
    const whole = frames.findLastIndex((frame) => databasePagesOf(frame) !== 0) + 1;
    const rest = frames.slice(whole);
    // Before anything is committed, and while the beginning still waits: whoever is refused may send the same part again.
    this.#budget.take(bytesOf(whole === 0 ? sent : rest));
    if (baton !== undefined) this.#letGo(baton);
    const taken = { status: 'ok', generation, max_frame_no: end - 1 } as const;
    if (whole === 0) return { ...taken, baton: this.#wait({ generation, first, frames }) };
    let isTaken = false;
    try {
      isTaken = await this.#takeTransactions(generation, first, frames.slice(0, whole), request);
    } finally {
      this.#budget.giveBack(bytesOf(begun) + (isTaken ? 0 : bytesOf(rest)));
    }
    if (!isTaken) return { status: 'conflict', generation, max_frame_no: (await this.#history.tip()).frames };
    if (rest.length === 0) return taken;
    // Copies, which do not keep the whole body in memory that they came in.
    const copies = rest.map((frame) => new Uint8Array(frame));
    return { ...taken, baton: this.#wait({ generation, first: first + whole, frames: copies }) };
  }

  /** False when they were written after something else than what is there. */
  async #takeTransactions(
    generation: number,
    first: number,
    frames: readonly Uint8Array[],
    request: FileRequest,
  ): Promise<boolean> {
    const height = await this.#history.heightOf(generation);
    const place = await this.#history.settled({ height, frames: first - 1 }, true);
    const tip = await this.#history.tip();
    if (place.height === tip.height && place.frames === tip.frames) {
      return (await this.#commit(tip.commit, frames, request)) === 'committed';
    }
    return this.#isStored(place, frames);
  }

  /** Whether what follows a place is what these frames would have made. */
  async #isStored(place: ReplicaPlace, frames: readonly Uint8Array[]): Promise<boolean> {
    let { height, frames: at } = await this.#history.settled(place, true);
    for (let next = 0; next < frames.length;) {
      const end = next + frames.slice(next).findIndex((frame) => databasePagesOf(frame) !== 0) + 1;
      const sent = frames.slice(next, end);
      const stored = await this.#history.read({ height, frames: at }, sent.length);
      if (!isSame(sent, stored)) return false;
      next = end;
      ({ height, frames: at } = await this.#history.settled({ height, frames: at + sent.length }, true));
    }
    return true;
  }

  /** The number that the frames are counted in: a replica that never synchronized has none yet, and an empty database to begin with. */
  async #generationOf({ generation, start }: Push): Promise<number> {
    if (generation !== unsynchronizedGeneration || start !== 1) {
      await this.#history.heightOf(generation);
      return generation;
    }
    return this.#history.numberOf(-1);
  }

  /** Keeps the beginning of a transaction, whose memory was taken from the budget. */
  #wait(beginning: Omit<Waiting, 'cancel'>): string {
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= mostWaiting && oldest !== undefined) this.#drop(oldest);
    const baton = this.#runtime.randomBytes(16).toString('hex');
    const cancel = this.#runtime.schedule(waitMs, () => this.#drop(baton));
    this.#waiting.set(baton, { ...beginning, cancel });
    return baton;
  }

  /** What the part that starts there goes on from. Throws `REPLICA_PUSH_BROKEN`. */
  #beginning(baton: string, generation: number, start: number): Waiting {
    const waiting = this.#waiting.get(baton);
    if (waiting?.generation === generation && waiting.first + waiting.frames.length === start) return waiting;
    this.#drop(baton);
    throw new ByocError(
      'REPLICA_PUSH_BROKEN',
      'the beginning of this transaction is not here any more; nothing of it was taken',
    );
  }

  /** Takes a beginning out; its memory stays taken. */
  #letGo(baton: string): Waiting | undefined {
    const waiting = this.#waiting.get(baton);
    waiting?.cancel();
    this.#waiting.delete(baton);
    return waiting;
  }

  #drop(baton: string): void {
    const waiting = this.#letGo(baton);
    if (waiting) this.#budget.giveBack(bytesOf(waiting.frames));
  }
}

function bytesOf(frames: readonly Uint8Array[]): number {
  return frames.length * walFrameBytes;
}

/** Throws `REPLICA_PUSH_INVALID`. */
function framesOf(body: Buffer, count: number): Buffer[] {
  if (count < 1 || body.length !== count * walFrameBytes) {
    throw new ByocError(
      'REPLICA_PUSH_INVALID',
      `${count} frames have ${count * walFrameBytes} bytes, not ${body.length}`,
    );
  }
  return Array.from({ length: count }, (_, index) => body.subarray(index * walFrameBytes, (index + 1) * walFrameBytes));
}

function databasePagesOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(4);
}

/** Whether a transaction as it was sent, where a page may stand twice, is a commit as it is stored, which may be filled up. */
function isSame(sent: readonly Uint8Array[], stored: readonly Frame[]): boolean {
  const end = stored.at(-1);
  const last = sent.at(-1);
  if (!end || !last || stored.length !== sent.length || end.databasePages !== databasePagesOf(last)) return false;
  if (stored.slice(0, -1).some(({ databasePages }) => databasePages !== 0)) return false;
  const contents = new Map(stored.map(({ page, content }) => [page, content]));
  const wanted = new Map(
    sent.map((frame) => [
      new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0),
      frame.subarray(walFrameBytes - pageBytes),
    ]),
  );
  return [...wanted].every(([page, content]) => {
    const there = contents.get(page);
    return there !== undefined && Buffer.compare(there, content) === 0;
  });
}
