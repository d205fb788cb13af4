/**
 * What an engine process does: takes messages from the I/O process, runs requests, answers.
 *
 * The order of messages is the contract: commits leave before the responses that saw them, `closed` and `poisoned`
 * after everything else of their database.
 */
import { EngineError, type EngineAdapter } from '../adapters/adapter.js';
import { isByocError } from '../../errors/catalogue.js';
import type { EngineName } from '../../identity.js';
import { loadAuthorizingSqlite } from '../sql-gate/authorizing-sqlite.js';
import type { FlightRecorder } from '../ipc/flight-recorder.js';
import type { ToEngine } from '../ipc/messages.js';
import type { Runtime } from '../../runtime.js';
import { DatabaseHost } from './database-host.js';
import type { NativeMemory } from './native-memory.js';
import type { Outbox } from './outbox.js';
import { RequestContext } from './request-context.js';
import type { NewRequestFace, RequestFace } from './request-face.js';
import { ResponseStream } from './response-stream.js';
import { Scheduler } from './scheduler.js';
import type { StatementGate } from './statement-gate.js';
import { newWalScratch } from './wal-reader.js';

/** Longest time one database runs before the others get their turn. */
const sliceMs = 5;

export interface EngineLoopOptions {
  readonly runtime: Runtime;
  readonly outbox: Outbox;
  readonly recorder: Pick<FlightRecorder, 'begin' | 'idle'>;
  readonly nativeMemory: NativeMemory;
  /** Throws `ENGINE_UNAVAILABLE`. */
  readonly loadAdapter: (engine: EngineName) => Promise<EngineAdapter>;
  readonly newGate: (engine: EngineName) => StatementGate;
  readonly newFace: NewRequestFace;
}

interface OpenDatabase {
  readonly host: DatabaseHost;
  readonly face: RequestFace;
}

type OpenMessage = Extract<ToEngine, { type: 'open' }>;
type RequestMessage = Extract<ToEngine, { type: 'request' }>;

export class EngineLoop {
  readonly #options: EngineLoopOptions;
  readonly #scheduler: Scheduler;
  readonly #walScratch = newWalScratch();
  readonly #adapters = new Map<EngineName, EngineAdapter>();
  readonly #databases = new Map<number, OpenDatabase>();
  /** Messages for databases whose engine is being loaded. */
  readonly #opening = new Map<number, ToEngine[]>();
  readonly #requests = new Map<number, { readonly context: RequestContext; readonly response: ResponseStream }>();

  constructor(options: EngineLoopOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler({
      runtime: options.runtime,
      sliceMs,
      afterTurn: () => options.outbox.flush(),
      outbox: options.outbox,
      idle: () => options.recorder.idle(),
    });
  }

  /** Handles one message of the I/O process. */
  receive(message: ToEngine): void {
    if (message.type !== 'open' && 'database' in message) {
      const waiting = this.#opening.get(message.database);
      if (waiting) {
        waiting.push(message);
        return;
      }
    }
    switch (message.type) {
      case 'open':
        this.#open(message);
        break;
      case 'close':
        this.#close(message.database);
        this.#options.outbox.send({ type: 'closed', database: message.database });
        break;
      case 'request':
        this.#request(message);
        break;
      case 'cancel':
        this.#requests.get(message.request)?.context.abandon('client-left');
        break;
      case 'credit':
        this.#requests.get(message.request)?.response.credit(message.bytes);
        break;
      case 'checkpoint':
        this.#checkpoint(message.database, message.commit);
        break;
    }
  }

  #open(message: OpenMessage): void {
    const adapter = this.#adapters.get(message.engine);
    if (adapter) {
      this.#openWith(adapter, message);
      return;
    }
    const waiting: ToEngine[] = [];
    this.#opening.set(message.database, waiting);
    const proceed = (open: () => void): void => {
      this.#opening.delete(message.database);
      open();
      for (const next of waiting) this.receive(next);
    };
    this.#options.loadAdapter(message.engine).then(
      (loaded) => {
        this.#adapters.set(message.engine, loaded);
        proceed(() => this.#openWith(loaded, message));
      },
      (error: unknown) => proceed(() => this.#refuse(message.database, error)),
    );
  }

  #openWith(adapter: EngineAdapter, message: OpenMessage): void {
    const { runtime, outbox, recorder, nativeMemory, newGate, newFace } = this.#options;
    const { database, path, commit, limits, engine } = message;
    let host: DatabaseHost;
    try {
      host = new DatabaseHost({
        database,
        path,
        commit,
        limits,
        adapter,
        newGate: () => newGate(engine),
        runtime,
        recorder,
        outbox,
        walScratch: this.#walScratch,
        connectionClosed: () => nativeMemory.noteClosed(),
        onPoisoned: (reason) => this.#poisoned(database, reason),
      });
    } catch (error) {
      this.#refuse(database, error);
      return;
    }
    this.#databases.set(database, { host, face: newFace(host) });
    outbox.send({ type: 'opened', database });
  }

  #refuse(database: number, error: unknown): void {
    if (!(error instanceof EngineError) && !isByocError(error)) throw error;
    const { code, message } = error;
    this.#options.outbox.send({ type: 'opened', database, error: { code, message } });
  }

  #request(message: RequestMessage): void {
    const open = this.#databases.get(message.database);
    // A request that crossed `poisoned` or `close` on its way gets no answer; the I/O process knows.
    if (!open || open.host.ended) return;
    const { request, kind, readOnly, restrictions, body } = message;
    const loading = restrictions?.permissions && loadAuthorizingSqlite();
    if (loading) {
      const again = (): void => this.#request({ ...message, body: Buffer.from(body) });
      // What needs it says that it is not there.
      loading.then(again, again);
      return;
    }
    const incoming = { request, kind, readOnly, restrictions, body: asBuffer(body) };
    const context = new RequestContext(incoming, this.#options.runtime);
    const response = new ResponseStream(request, this.#options.outbox);
    this.#requests.set(request, { context, response });
    this.#scheduler.start(message.database, open.face.serve(context, response), () => this.#requests.delete(request));
  }

  #checkpoint(database: number, commit: number): void {
    const open = this.#databases.get(database);
    if (!open || open.host.ended) return;
    const done = open.host.checkpoint(commit);
    this.#options.outbox.send({ type: 'checkpointed', database, commit: open.host.commit, done });
  }

  #poisoned(database: number, reason: string): void {
    // What is running now may be a task of this database; it is ended when the thread is free.
    this.#options.runtime.schedule(0, () => {
      if (!this.#close(database)) return;
      this.#options.outbox.send({ type: 'poisoned', database, reason });
    });
  }

  /** Ends all tasks and streams of a database and closes it; false when it is not open. */
  #close(database: number): boolean {
    const open = this.#databases.get(database);
    if (!open) return false;
    this.#databases.delete(database);
    open.host.end();
    this.#scheduler.dropGroup(database);
    open.face.close();
    open.host.close();
    return true;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
