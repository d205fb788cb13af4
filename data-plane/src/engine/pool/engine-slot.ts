/**
 * The databases inside one engine process, as their owners in the I/O process see them. A slot lives as long as its
 * process: when that ends, everything in the slot is lost, and databases are placed anew.
 */
import { ByocError, isByocError } from '../../errors/catalogue.js';
import type { DatabaseId, EngineName } from '../../identity.js';
import type { Runtime } from '../../runtime.js';
import type { FlightRecord } from '../ipc/flight-recorder.js';
import type { DatabaseLimits, FromEngine } from '../ipc/messages.js';
import { Dispatcher, type DispatcherLimits, type Ticket } from './dispatcher.js';
import type { EngineDirectory } from './engine-directory.js';
import type { EngineExit, LostRequest } from './engine-exit.js';
import { EngineProcessHandle } from './engine-process-handle.js';
import {
  OpenInEngine,
  type DatabaseEvents,
  type EngineRequest,
  type PendingRequest,
  type ResponseHandler,
} from './open-in-engine.js';
import type { LaunchCommand } from './sandbox.js';
import { MemoryWatch, privateBytesOf } from './memory-watch.js';
import { Watchdog } from './watchdog.js';

export interface EngineSlotOptions {
  readonly command: LaunchCommand;
  readonly directory: EngineDirectory;
  readonly runtime: Runtime;
  /** The clock of the flight record. */
  readonly monotonicNs: () => bigint;
  readonly statementDeadlineMs: number;
  /** What the process may have to itself, in bytes. */
  readonly memoryBytes: number;
  /** How long the engine may stay silent over an open, a close or a checkpoint. */
  readonly controlDeadlineMs: number;
  readonly dispatcher: DispatcherLimits;
  /** A number for a database that no other of the pool ever had or will have. */
  readonly nextHandle: () => number;
  readonly onLogLine: (line: string) => void;
  /** Called first of all when the process has ended, with the database that was being executed. */
  readonly onExit: (exit: EngineExit, culprit: DatabaseId | undefined) => void;
}

export interface DatabaseToOpen {
  readonly engine: EngineName;
  /** Database file, restored and handed over; no WAL beside it. */
  readonly path: string;
  /** Number of the last commit contained in the file. */
  readonly commit: number;
  readonly limits: DatabaseLimits;
}

/** A database that is open in a slot; only its slot can do anything with it. */
export type OpenedInEngine = Pick<OpenInEngine, 'id' | 'handle'>;
/** A request that a slot has accepted. */
export type RequestTicket = Pick<PendingRequest, 'id'>;

/** How often to look at what the engine executes while requests wait for room in it. */
const blockedLookMs = 5;
const reservationMs = 60_000;

export class EngineSlot {
  /** Where the files of databases must lie that are opened in this slot. */
  readonly directory: EngineDirectory;
  /** When its process was started, on the monotonic clock. */
  readonly startedMs: number;
  readonly #options: EngineSlotOptions;
  readonly #process: EngineProcessHandle;
  readonly #watchdog: Watchdog;
  readonly #memoryWatch: MemoryWatch;
  readonly #dispatcher: Dispatcher<PendingRequest>;
  readonly #databases = new Map<number, OpenInEngine>();
  readonly #handles = new Map<DatabaseId, number>();
  /** When each database that is about to be opened was placed here; oldest first. */
  readonly #reserved = new Map<DatabaseId, number>();
  /** Every request that the engine may still run or answer, by number; cancelled ones included. */
  readonly #tickets = new Map<number, Ticket<PendingRequest>>();
  /** Cancelled requests that had been sent, with the number of times the engine was seen idle since. */
  readonly #cancelled = new Map<number, number>();
  /** Control messages without an answer. */
  #controls = 0;
  #lastRequest = 0;
  #lastMessageMs: number;
  #cancelLook: (() => void) | undefined;
  /** Set by `retire`. */
  #retirement: { readonly graceMs: number; readonly cancel: () => void } | undefined;

  constructor(options: EngineSlotOptions) {
    this.#options = options;
    this.directory = options.directory;
    this.startedMs = options.runtime.monotonicMs();
    this.#lastMessageMs = this.startedMs;
    this.#dispatcher = new Dispatcher(options.dispatcher, (ticket) => this.#send(ticket.item));
    this.#process = new EngineProcessHandle({
      command: options.command,
      directory: options.directory,
      runtime: options.runtime,
      onMessage: (message) => this.#receive(message),
      onExit: (exit) => this.#finish(exit),
      onLogLine: options.onLogLine,
    });
    this.#watchdog = new Watchdog({
      deadlineMs: options.statementDeadlineMs,
      runtime: options.runtime,
      monotonicNs: options.monotonicNs,
      read: () => this.#process.readFlightRecord(),
      onLook: (record) => this.#look(record),
      onOverrun: (record) => this.#process.kill('deadline', 'a statement ran past its deadline', record),
    });
    this.#memoryWatch = new MemoryWatch({
      limitBytes: options.memoryBytes,
      runtime: options.runtime,
      privateBytes: () => (this.pid === undefined ? undefined : privateBytesOf(this.pid)),
      onExcess: (bytes) =>
        this.#process.kill('memory', `the process took ${bytes} bytes of ${options.memoryBytes} that it may have`),
    });
  }

  /** Requests that wait for room in the process. */
  get queued(): number {
    return this.#dispatcher.queued;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isAlive(): boolean {
    return this.#process.exit === undefined;
  }

  /** Databases that are in the slot or about to be opened in it. */
  get load(): number {
    const expired = this.#options.runtime.monotonicMs() - reservationMs;
    for (const [id, sinceMs] of this.#reserved) {
      if (sinceMs > expired) break;
      this.#reserved.delete(id);
    }
    return this.#databases.size + this.#reserved.size;
  }

  /** True when the database is in the slot or about to be opened in it. */
  holds(id: DatabaseId): boolean {
    return this.#handles.has(id) || this.#reserved.has(id);
  }

  /** Notes that the database is about to be opened here. A note that nobody acts on is forgotten after a while. */
  reserve(id: DatabaseId): void {
    this.#reserved.delete(id);
    this.#reserved.set(id, this.#options.runtime.monotonicMs());
  }

  /** Opens a database. Throws what the engine answers, and ENGINE_RESTARTED when the process ends before it answers. */
  async open(id: DatabaseId, database: DatabaseToOpen, events: DatabaseEvents): Promise<OpenedInEngine> {
    const { exit } = this.#process;
    if (exit) throw new ByocError('ENGINE_RESTARTED', exitReason(exit));
    const opening = new OpenInEngine(id, this.#options.nextHandle(), events);
    this.#databases.set(opening.handle, opening);
    this.#handles.set(id, opening.handle);
    this.#reserved.delete(id);
    const opened = opening.waitForOpened(this.#options.runtime.monotonicMs());
    this.#process.send({ type: 'open', database: opening.handle, ...database });
    await this.#watched(opened);
    return opening;
  }

  /** Closes a database; its requests are lost. Resolves also when the process ends, or has ended. Files stay. */
  async close(opened: OpenedInEngine): Promise<void> {
    const database = this.#databases.get(opened.handle);
    if (!database) return;
    const closed = database.waitForClosed(this.#options.runtime.monotonicMs());
    this.#process.send({ type: 'close', database: database.handle });
    await this.#watched(closed);
  }

  /**
   * Folds the local WAL into the local file if `commit` is still the last one. False when that was not possible or the
   * database is gone; nothing changed then.
   */
  async checkpoint(opened: OpenedInEngine, commit: number): Promise<boolean> {
    const database = this.#databases.get(opened.handle);
    if (!database) return false;
    const checkpointed = database.waitForCheckpointed(this.#options.runtime.monotonicMs());
    this.#process.send({ type: 'checkpoint', database: database.handle, commit });
    return this.#watched(checkpointed);
  }

  /** Runs a request of an open database. The handler is not called before this returns. */
  request(opened: OpenedInEngine, request: EngineRequest, handler: ResponseHandler): RequestTicket {
    const database = this.#databases.get(opened.handle) ?? (opened as OpenInEngine);
    const pending: PendingRequest = { id: this.#nextRequest(), database, request, handler, sentAtCommits: undefined };
    if (!this.#databases.has(opened.handle)) {
      const { exit } = this.#process;
      const cause = exit?.cause ?? 'closed';
      const reason = exit ? exitReason(exit) : 'the database is not open in this engine process';
      queueMicrotask(() => handler.onLost(this.#lost(pending, cause, reason)));
      return pending;
    }
    try {
      this.#tickets.set(pending.id, this.#dispatcher.submit(database.handle, pending));
    } catch (error) {
      if (!isByocError(error, 'OVERLOADED')) throw error;
      queueMicrotask(() => handler.onRefused(error));
      return pending;
    }
    database.requests.add(pending);
    this.#updateWatch();
    this.#lookWhileBlocked();
    return pending;
  }

  /** The client took `bytes` more of a streamed answer. */
  credit(ticket: RequestTicket, bytes: number): void {
    if (this.#tickets.get(ticket.id)?.item === ticket)
      this.#process.send({ type: 'credit', request: ticket.id, bytes });
  }

  /** The client went away: the request is lost, and what of it has not started does not start. */
  cancel(ticket: RequestTicket): void {
    const known = this.#tickets.get(ticket.id);
    if (known?.item !== ticket || !known.item.database.requests.delete(known.item)) return;
    const pending = known.item;
    if (this.#dispatcher.withdraw(known)) {
      this.#tickets.delete(pending.id);
      this.#updateWatch();
    } else {
      // Its ticket stays until the engine is past it: the deadline holds for statements that nobody waits for, too.
      this.#cancelled.set(pending.id, 0);
      this.#process.send({ type: 'cancel', request: pending.id });
    }
    pending.handler.onLost(this.#lost(pending, 'cancelled', 'the client went away'));
    this.#letLeave(known.item.database);
  }

  /** Asks the process to end, and kills it when it has not after `graceMs`. */
  stop(graceMs: number): void {
    this.#process.stop(graceMs);
  }

  /**
   * Ends the process as soon as every database has left it; what is still in it after `patienceMs` loses it. Nothing may
   * be placed here any more.
   */
  retire(patienceMs: number, graceMs: number): void {
    this.#retirement = { graceMs, cancel: this.#options.runtime.schedule(patienceMs, () => this.stop(graceMs)) };
    for (const database of [...this.#databases.values()]) this.#letLeave(database);
    this.#stopIfLeft();
  }

  #letLeave(database: OpenInEngine): void {
    if (this.#retirement && database.isOpen) database.events.onRetiring(database.requests.size === 0);
  }

  #stopIfLeft(): void {
    if (!this.#retirement || this.#databases.size > 0) return;
    this.#retirement.cancel();
    this.stop(this.#retirement.graceMs);
  }

  /** Numbers are 32 bits wide and come round; 0 means "nothing" in the flight record. */
  #nextRequest(): number {
    do this.#lastRequest = (this.#lastRequest + 1) >>> 0;
    while (this.#lastRequest === 0 || this.#tickets.has(this.#lastRequest));
    return this.#lastRequest;
  }

  #send(pending: PendingRequest): void {
    pending.sentAtCommits = pending.database.commits;
    const { database, id, request } = pending;
    this.#process.send({ type: 'request', request: id, database: database.handle, ...request });
  }

  #receive(message: FromEngine): void {
    this.#lastMessageMs = this.#options.runtime.monotonicMs();
    if (message.type === 'response') {
      this.#answer(message);
      return;
    }
    const database = this.#databases.get(message.database);
    // Last words about a database that is gone here already.
    if (!database) return;
    switch (message.type) {
      case 'opened':
        if (message.error) {
          database.openFailed(message.error.code, message.error.message);
          this.#drop(database, 'closed', 'the database could not be opened');
        } else {
          database.opened();
          this.#letLeave(database);
        }
        break;
      case 'closed':
        this.#drop(database, 'closed', 'the database was closed');
        break;
      case 'commit':
        database.committed(message.commit, message.databasePages, message.pages, message.last);
        break;
      case 'checkpointed':
        database.checkpointed(message.done);
        break;
      case 'poisoned':
        this.#drop(database, 'poisoned', `the engine gave up its copy of the database: ${message.reason}`);
        break;
      case 'streams':
        database.events.onStreams(message.open);
        this.#letLeave(database);
        break;
      case 'usage':
        database.events.onUsage?.(message);
        break;
    }
  }

  #answer(message: Extract<FromEngine, { type: 'response' }>): void {
    const ticket = this.#tickets.get(message.request);
    if (!ticket) return;
    const { database, handler } = ticket.item;
    const isWanted = database.requests.has(ticket.item);
    if (message.last) {
      database.requests.delete(ticket.item);
      this.#end(ticket);
    } else {
      this.#dispatcher.answeredInPart(ticket);
    }
    if (!isWanted) return;
    const { status, seenCommit, last, body } = message;
    handler.onPart({
      status,
      seenCommit,
      last,
      body: Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length),
    });
    if (last) this.#letLeave(database);
  }

  /** Nothing more can come for this request. */
  #end(ticket: Ticket<PendingRequest>): void {
    this.#tickets.delete(ticket.item.id);
    this.#cancelled.delete(ticket.item.id);
    this.#dispatcher.finish(ticket);
    this.#updateWatch();
  }

  #drop(database: OpenInEngine, cause: LostRequest['cause'], reason: string): void {
    this.#databases.delete(database.handle);
    if (this.#handles.get(database.id) === database.handle) this.#handles.delete(database.id);
    // Queued ones first, or the end of the others would send them.
    const tickets = [...this.#tickets.values()].filter(({ item }) => item.database === database);
    for (const ticket of tickets) if (this.#dispatcher.withdraw(ticket)) this.#tickets.delete(ticket.item.id);
    for (const ticket of tickets) if (this.#tickets.has(ticket.item.id)) this.#end(ticket);
    database.gone(reason, (pending) => this.#lost(pending, cause, reason));
    this.#stopIfLeft();
  }

  #lost(pending: PendingRequest, cause: LostRequest['cause'], reason: string): LostRequest {
    const culprit = this.#process.exit?.culprit;
    return {
      cause,
      reason,
      isCulprit: culprit?.request === pending.id && culprit.database === pending.database.handle,
      hasCommitted: pending.database.mayHaveCommitted(pending),
      deadlineMs: this.#options.statementDeadlineMs,
      memoryBytes: this.#options.memoryBytes,
    };
  }

  #updateWatch(): void {
    if (!this.isAlive) return;
    const isBusy = this.#tickets.size > 0 || this.#controls > 0;
    this.#watchdog.setActive(isBusy);
    this.#memoryWatch.setActive(isBusy);
  }

  /** Keeps the watchdog awake until a control message is answered. */
  async #watched<Result>(answer: Promise<Result>): Promise<Result> {
    this.#controls += 1;
    this.#updateWatch();
    try {
      return await answer;
    } finally {
      this.#controls -= 1;
      this.#updateWatch();
    }
  }

  #lookWhileBlocked(): void {
    if (this.#cancelLook || !this.#dispatcher.isBlocked) return;
    this.#cancelLook = this.#options.runtime.schedule(blockedLookMs, () => {
      this.#cancelLook = undefined;
      const { request } = this.#process.readFlightRecord();
      this.#dispatcher.observe(this.#tickets.get(request));
      this.#lookWhileBlocked();
    });
  }

  /** A look of the watchdog that found no overrun. */
  #look(record: FlightRecord): void {
    if (record.request !== 0) return;
    // An engine that is idle for the second time since it was told has dropped the request, or its answer is here.
    for (const [id, looks] of [...this.#cancelled]) {
      const ticket = this.#tickets.get(id);
      if (looks > 0 && ticket) this.#end(ticket);
      else this.#cancelled.set(id, looks + 1);
    }
    const now = this.#options.runtime.monotonicMs();
    for (const { handle, waitingSinceMs } of this.#databases.values()) {
      if (waitingSinceMs === undefined) continue;
      if (now - Math.max(waitingSinceMs, this.#lastMessageMs) <= this.#options.controlDeadlineMs) continue;
      const culprit = { request: 0, database: handle };
      this.#process.kill('deadline', 'the engine did not answer a control message in time', culprit);
      return;
    }
  }

  #finish(exit: EngineExit): void {
    this.#watchdog.stop();
    this.#memoryWatch.stop();
    this.#cancelLook?.();
    this.#retirement?.cancel();
    const databases = [...this.#databases.values()];
    this.#databases.clear();
    this.#tickets.clear();
    const culprit = databases.find((database) => database.handle === exit.culprit?.database);
    // Before the databases hear of it, so that one that is placed anew at once does not come back here.
    this.#options.onExit(exit, culprit?.id);
    const reason = exitReason(exit);
    for (const database of databases) database.gone(reason, (pending) => this.#lost(pending, exit.cause, reason));
  }
}

function exitReason(exit: EngineExit): string {
  return `the engine process ended (${exit.cause}): ${exit.detail}`;
}
