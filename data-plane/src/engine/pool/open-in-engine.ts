/** One open database inside one engine process: who waits for what. */
import { ByocError, catalogue, type ErrorCode } from '../../errors/catalogue.js';
import type { DatabaseId } from '../../identity.js';
import type { RequestKind, Restrictions, StatementUsage } from '../ipc/messages.js';
import type { LostRequest } from './engine-exit.js';

/** What an engine process says about a database, in the order in which it happened. Nothing comes before `open` resolves. */
export interface DatabaseEvents {
  /**
   * A commit, or a part of one when `last` is false; `pages` as in the IPC message. When the database is lost between
   * two parts, that commit never happened.
   */
  readonly onCommit: (commit: number, databasePages: number, pages: Uint8Array, last: boolean) => void;
  /** The number of streams that outlive their request changed to or from zero. */
  readonly onStreams: (open: number) => void;
  /** What statements did since it was last told. The engine process is not trusted with the numbers. */
  readonly onUsage?: (usage: StatementUsage) => void;
  /**
   * The engine process ended, or gave the database up. Called once, before the `onLost` of its requests; no event
   * follows. Not called for a database that was closed by `close` or never opened.
   */
  readonly onLost: (reason: string) => void;
  /**
   * The process is to end for good, and waits for the database to be closed. `isFree`: that loses no request now. Said
   * again when the last request has ended, and when the number of streams changes.
   */
  readonly onRetiring: (isFree: boolean) => void;
}

export interface ResponsePart {
  /** HTTP status; meaningful in the first part. */
  readonly status: number;
  /** The highest commit that this part depends on. */
  readonly seenCommit: number;
  readonly last: boolean;
  readonly body: Buffer;
}

/** How a request goes on. It ends with exactly one of: a part with `last`, `onLost`, `onRefused`. */
export interface ResponseHandler {
  readonly onPart: (part: ResponsePart) => void;
  readonly onLost: (lost: LostRequest) => void;
  /** The request was not accepted (OVERLOADED); nothing of it has taken effect. */
  readonly onRefused: (error: ByocError) => void;
}

export interface EngineRequest {
  readonly kind: RequestKind;
  readonly readOnly: boolean;
  readonly restrictions?: Restrictions | undefined;
  /** The HTTP request body, unparsed. */
  readonly body: Uint8Array;
}

/** One request between its acceptance and its end. */
export interface PendingRequest {
  /** Number in the IPC messages. */
  readonly id: number;
  readonly database: OpenInEngine;
  readonly request: EngineRequest;
  readonly handler: ResponseHandler;
  /** Whole commits of the database that had come when the request was sent; undefined while it was not sent. */
  sentAtCommits: number | undefined;
}

interface Waiter<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: ByocError) => void;
  readonly sinceMs: number;
}

export class OpenInEngine {
  readonly id: DatabaseId;
  /** Number in the IPC messages; never used twice in a pool. */
  readonly handle: number;
  readonly events: DatabaseEvents;
  /** Requests whose handler waits for more. */
  readonly requests = new Set<PendingRequest>();
  #commits = 0;
  #isOpen = false;
  #opening: Waiter<void> | undefined;
  #closing: Waiter<void>[] = [];
  #checkpoints: Waiter<boolean>[] = [];

  constructor(id: DatabaseId, handle: number, events: DatabaseEvents) {
    this.id = id;
    this.handle = handle;
    this.events = events;
  }

  /** Whole commits received so far. */
  get commits(): number {
    return this.#commits;
  }

  /** Requests can be made of it. */
  get isOpen(): boolean {
    return this.#isOpen && this.#closing.length === 0;
  }

  /** Start of the longest wait for an answer to a control message, on the monotonic clock; undefined for none. */
  get waitingSinceMs(): number | undefined {
    const starts = [this.#opening, this.#closing[0], this.#checkpoints[0]].flatMap((waiter) => waiter?.sinceMs ?? []);
    return starts.length === 0 ? undefined : Math.min(...starts);
  }

  async waitForOpened(sinceMs: number): Promise<void> {
    return new Promise((resolve, reject) => (this.#opening = { resolve, reject, sinceMs }));
  }

  async waitForClosed(sinceMs: number): Promise<void> {
    return new Promise((resolve, reject) => this.#closing.push({ resolve, reject, sinceMs }));
  }

  async waitForCheckpointed(sinceMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => this.#checkpoints.push({ resolve, reject, sinceMs }));
  }

  opened(): void {
    this.#isOpen = true;
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  /** The engine answered that it cannot open the database. */
  openFailed(code: string, message: string): void {
    this.#opening?.reject(new ByocError(code in catalogue ? (code as ErrorCode) : 'INTERNAL', message));
    this.#opening = undefined;
  }

  committed(commit: number, databasePages: number, pages: Uint8Array, last: boolean): void {
    if (last) this.#commits += 1;
    this.events.onCommit(commit, databasePages, pages, last);
  }

  checkpointed(done: boolean): void {
    this.#checkpoints.shift()?.resolve(done);
  }

  /** True when something of the request may already have taken effect. */
  mayHaveCommitted({ request, sentAtCommits }: PendingRequest): boolean {
    return !request.readOnly && sentAtCommits !== undefined && this.#commits > sentAtCommits;
  }

  /**
   * The engine does not hold the database any more. Whoever waits for it to close has what it wants; all else fails,
   * requests with what `describe` says of each.
   */
  gone(reason: string, describe: (pending: PendingRequest) => LostRequest): void {
    const wasClosing = this.#closing.length > 0;
    const requests = [...this.requests];
    this.requests.clear();
    if (this.#isOpen && !wasClosing) this.events.onLost(reason);
    this.#isOpen = false;
    for (const pending of requests) pending.handler.onLost(describe(pending));
    const error = new ByocError('ENGINE_RESTARTED', reason);
    this.#opening?.reject(error);
    for (const waiter of this.#checkpoints.splice(0)) waiter.reject(error);
    for (const waiter of this.#closing.splice(0)) waiter.resolve();
  }
}
