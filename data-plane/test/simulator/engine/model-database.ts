/**
 * One database open in a model engine process: streams, transactions, the write lock, and the order of commits. It follows
 * the contract of the real engine process: a commit is shipped in the step in which it is made, before any answer that
 * could have seen it; reads outside a transaction see the latest commit, durable or not; one transaction writes at a time.
 */
import type { DatabaseLimits } from '@turso-byoc/data-plane/engine/ipc/messages.js';
import type { Random } from '../world/random.js';
import type { ModelAnswer, ModelOperation, ModelRequest, ModelResult } from './model-protocol.js';
import { isDataOperation, isWrite, markerOf, perform, type ReadKey } from './operations.js';
import type { PageCommit, PageDatabase } from './page-database.js';

export interface ModelDatabaseOptions {
  readonly pages: PageDatabase;
  readonly limits: DatabaseLimits;
  readonly random: Random;
  /** Runs something later unless cancelled. */
  readonly schedule: (ms: number, run: () => void) => () => void;
  /** `markers`: of the operations that it consists of. */
  readonly onCommit: (commit: PageCommit, markers: readonly string[]) => void;
  readonly onStreams: (open: number) => void;
}

interface Stream {
  /** Undefined while no transaction is open. */
  changes: Map<string, string | null> | undefined;
  /** Markers of what was done in the transaction. */
  markers: string[];
  timedOut: boolean;
  baton: string | undefined;
  cancelTransactionTimer: () => void;
  cancelIdleTimer: () => void;
}

/** A request that runs, or waits for the write lock. */
export interface RunningRequest {
  readonly request: ModelRequest;
  readonly readOnly: boolean;
  readonly onAnswer: (status: number, body: object, seenCommit: number) => void;
  /** Called when the engine is stuck in this request. */
  readonly onSpin: () => void;
}

interface Waiting {
  readonly resume: () => void;
  readonly cancelTimer: () => void;
}

export class ModelDatabase {
  readonly #options: ModelDatabaseOptions;
  readonly #streams = new Map<string, Stream>();
  #writer: Stream | undefined;
  #waiting: Waiting[] = [];

  constructor(options: ModelDatabaseOptions) {
    this.#options = options;
  }

  get commit(): number {
    return this.#options.pages.commit;
  }

  get hasWriter(): boolean {
    return this.#writer !== undefined;
  }

  serve(running: RunningRequest): void {
    const { baton } = running.request;
    let stream: Stream = {
      changes: undefined,
      markers: [],
      timedOut: false,
      baton: undefined,
      cancelTransactionTimer: () => undefined,
      cancelIdleTimer: () => undefined,
    };
    if (baton !== null) {
      const known = this.#streams.get(baton);
      if (!known) {
        running.onAnswer(404, { code: 'STREAM_EXPIRED' }, this.commit);
        return;
      }
      this.#forget(known);
      stream = known;
    }
    this.#continue(running, stream, []);
  }

  close(): void {
    for (const stream of this.#streams.values()) {
      stream.cancelIdleTimer();
      stream.cancelTransactionTimer();
    }
    for (const { cancelTimer } of this.#waiting) cancelTimer();
    this.#streams.clear();
    this.#waiting = [];
  }

  #continue(running: RunningRequest, stream: Stream, results: ModelResult[]): void {
    const { operations } = running.request;
    for (let next = operations[results.length]; next; next = operations[results.length]) {
      if (next.op === 'spin') {
        running.onSpin();
        return;
      }
      if (isWrite(next) && !running.readOnly && this.#writer !== undefined && this.#writer !== stream) {
        this.#park(running, stream, results);
        return;
      }
      const result = this.#perform(next, stream, running.readOnly);
      results.push(result);
      if ('error' in result) break;
    }
    this.#answer(running, stream, results);
  }

  #park(running: RunningRequest, stream: Stream, results: ModelResult[]): void {
    const waiting: Waiting = {
      resume: () => this.#continue(running, stream, results),
      cancelTimer: this.#options.schedule(this.#options.limits.writeLockTimeoutMs, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        this.#answer(running, stream, [...results, { error: 'TRANSACTION_BUSY' }]);
      }),
    };
    this.#waiting.push(waiting);
  }

  #answer({ request, onAnswer }: RunningRequest, stream: Stream, results: readonly ModelResult[]): void {
    const { pages } = this.#options;
    if (request.close) this.#rollBack(stream);
    else this.#remember(stream);
    const answer: ModelAnswer = {
      baton: stream.baton ?? null,
      results,
      seen: { database: pages.database, commit: pages.commit, history: pages.history },
    };
    onAnswer(200, answer, pages.commit);
    this.#resumeWaiting();
  }

  #perform(operation: ModelOperation, stream: Stream, readOnly: boolean): ModelResult {
    const { pages, random } = this.#options;
    if (stream.timedOut) {
      stream.timedOut = false;
      return { error: 'TRANSACTION_TIMEOUT' };
    }
    if (readOnly && isWrite(operation)) return { error: 'BLOCKED' };
    if (isDataOperation(operation)) {
      const { changes } = stream;
      const read: ReadKey = (key) => (changes?.has(key) ? (changes.get(key) ?? undefined) : pages.get(key));
      const { result, writes } = perform(operation, read, () => overlaid(pages.snapshot(), changes));
      if (writes.length === 0) return result;
      const marker = markerOf(operation) ?? [];
      if (!changes) {
        this.#options.onCommit(pages.apply(new Map(writes), random.bytes(8)), [marker].flat());
        return result;
      }
      for (const [key, value] of writes) changes.set(key, value);
      stream.markers = stream.markers.concat(marker);
      return result;
    }
    switch (operation.op) {
      case 'begin':
        if (stream.changes) return { error: 'IN_TRANSACTION' };
        this.#begin(stream);
        return { value: null };
      case 'commit': {
        const { changes, markers } = stream;
        if (!changes) return { error: 'NO_TRANSACTION' };
        this.#endTransaction(stream);
        if (changes.size > 0) this.#options.onCommit(pages.apply(changes, random.bytes(8)), markers);
        return { value: null };
      }
      case 'rollback':
        if (!stream.changes) return { error: 'NO_TRANSACTION' };
        this.#endTransaction(stream);
        return { value: null };
      case 'compact':
        if (stream.changes) return { error: 'IN_TRANSACTION' };
        this.#options.onCommit(pages.compact(random.bytes(8)), []);
        return { value: null };
      case 'spin':
        throw new Error('a request that spins gives no result');
    }
  }

  #begin(stream: Stream): void {
    stream.changes = new Map();
    stream.markers = [];
    this.#writer = stream;
    stream.cancelTransactionTimer = this.#options.schedule(this.#options.limits.transactionTimeoutMs, () => {
      this.#endTransaction(stream);
      stream.timedOut = true;
      this.#resumeWaiting();
    });
  }

  #endTransaction(stream: Stream): void {
    stream.cancelTransactionTimer();
    stream.changes = undefined;
    if (this.#writer === stream) this.#writer = undefined;
  }

  #rollBack(stream: Stream): void {
    if (stream.changes) this.#endTransaction(stream);
    stream.baton = undefined;
  }

  #resumeWaiting(): void {
    if (this.#writer) return;
    const next = this.#waiting.shift();
    if (!next) return;
    next.cancelTimer();
    next.resume();
  }

  #remember(stream: Stream): void {
    stream.baton = this.#options.random.bytes(8).toString('hex');
    this.#streams.set(stream.baton, stream);
    stream.cancelIdleTimer = this.#options.schedule(this.#options.limits.streamIdleTimeoutMs, () => {
      this.#forget(stream);
      this.#rollBack(stream);
      this.#resumeWaiting();
    });
    if (this.#streams.size === 1) this.#options.onStreams(1);
  }

  #forget(stream: Stream): void {
    stream.cancelIdleTimer();
    if (stream.baton !== undefined) this.#streams.delete(stream.baton);
    if (this.#streams.size === 0) this.#options.onStreams(0);
  }
}

function overlaid(committed: Map<string, string>, changes: Map<string, string | null> | undefined): [string, string][] {
  for (const [key, value] of changes ?? []) {
    if (value === null) committed.delete(key);
    else committed.set(key, value);
  }
  return [...committed];
}
