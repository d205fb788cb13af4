/**
 * A model engine process, with the face that a slot of the engine pool has. What the node side remembers of a database and
 * its requests is the product's own `OpenInEngine`.
 */
import { ByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { EngineExit, LostRequest } from '@turso-byoc/data-plane/engine/pool/engine-exit.js';
import type { DatabaseToOpen, OpenedInEngine, RequestTicket } from '@turso-byoc/data-plane/engine/pool/engine-slot.js';
import type { EnginePlace } from '@turso-byoc/data-plane/engine/pool/engines.js';
import {
  OpenInEngine,
  type DatabaseEvents,
  type EngineRequest,
  type PendingRequest,
  type ResponseHandler,
} from '@turso-byoc/data-plane/engine/pool/open-in-engine.js';
import type { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import { IpcPipe } from './ipc-pipe.js';
import type { MemoryFile } from './memory-file.js';
import { MemoryDirectory } from './memory-directory.js';
import { ModelDatabase } from './model-database.js';
import { decodeRequest } from './model-protocol.js';
import { PageDatabase, type PageCommit } from './page-database.js';
import { TornImageError } from './page-image.js';

/** Sees what engines do, as nobody in the world can. */
export interface EngineObserver {
  /** The databases that one was branched from, the oldest first, and itself last. */
  line(id: DatabaseId): readonly DatabaseId[];
  /** A database was opened from a file. */
  opened(id: DatabaseId, commit: number, history: string): void;
  /** A transaction was committed in an engine; it may never become durable. */
  committed(id: DatabaseId, commit: PageCommit, markers: readonly string[]): void;
  /** A commit came to the node, whose wall clock shows `nowMs`. The engine may end before its answer comes, too. */
  handed?(id: DatabaseId, history: string, nowMs: number): void;
}

export interface ModelProcessOptions {
  readonly world: World;
  /** The node that the process belongs to. */
  readonly machine: Machine;
  readonly name: string;
  readonly statementDeadlineMs: number;
  readonly nextHandle: () => number;
  readonly onExit: () => void;
  readonly observer: EngineObserver;
}

export class ModelProcess implements EnginePlace {
  readonly directory = new MemoryDirectory();
  readonly #options: ModelProcessOptions;
  readonly #random: Random;
  /** What the node side knows. */
  readonly #open = new Map<number, OpenInEngine>();
  readonly #pending = new Map<number, PendingRequest>();
  #exit: EngineExit | undefined;
  /** What the engine process itself knows. */
  readonly #databases = new Map<number, ModelDatabase>();
  readonly #cancelled = new Set<number>();
  readonly #toEngine: IpcPipe;
  readonly #toNode: IpcPipe;
  #runs = true;
  /** The engine's thread is busy until then. */
  #busyUntilMs = 0;
  #isStuck = false;
  #lastRequest = 0;

  constructor(options: ModelProcessOptions) {
    const { world, machine } = options;
    this.#options = options;
    this.#random = world.random.fork();
    this.#toEngine = new IpcPipe(world, this.#random, (run) => this.#execute(run));
    this.#toNode = new IpcPipe(world, this.#random, (run) => machine.deliver(run));
    machine.onDeath(() => (this.#runs = false));
  }

  get isAlive(): boolean {
    return this.#exit === undefined;
  }

  holds(id: DatabaseId): boolean {
    return [...this.#open.values()].some((database) => database.id === id);
  }

  async open(id: DatabaseId, database: DatabaseToOpen, events: DatabaseEvents): Promise<OpenedInEngine> {
    if (this.#exit) throw new ByocError('ENGINE_RESTARTED', this.#exit.detail);
    const opening = new OpenInEngine(id, this.#options.nextHandle(), events);
    this.#open.set(opening.handle, opening);
    const opened = opening.waitForOpened(this.#options.machine.monotonicMs());
    this.#toEngine.send(() => this.#openDatabase(opening, database));
    await opened;
    return opening;
  }

  async close(opened: OpenedInEngine): Promise<void> {
    const database = this.#open.get(opened.handle);
    if (!database) return;
    const closed = database.waitForClosed(this.#options.machine.monotonicMs());
    this.#toEngine.send(() => {
      this.#databases.get(opened.handle)?.close();
      this.#databases.delete(opened.handle);
      this.#toNode.send(() => this.#drop(database));
    });
    await closed;
  }

  async checkpoint(opened: OpenedInEngine, commit: number): Promise<boolean> {
    const database = this.#open.get(opened.handle);
    if (!database) return false;
    const checkpointed = database.waitForCheckpointed(this.#options.machine.monotonicMs());
    this.#toEngine.send(() => {
      const model = this.#databases.get(opened.handle);
      const done = model !== undefined && model.commit === commit && !model.hasWriter;
      this.#toNode.send(() => database.checkpointed(done));
    });
    return checkpointed;
  }

  request(opened: OpenedInEngine, request: EngineRequest, handler: ResponseHandler): RequestTicket {
    const database = this.#open.get(opened.handle) ?? (opened as OpenInEngine);
    this.#lastRequest += 1;
    const pending: PendingRequest = {
      id: this.#lastRequest,
      database,
      request,
      handler,
      sentAtCommits: database.commits,
    };
    if (!this.#open.has(opened.handle)) {
      queueMicrotask(() => handler.onLost(this.#lost(pending, this.#exit?.cause ?? 'closed', 'not open here')));
      return pending;
    }
    database.requests.add(pending);
    this.#pending.set(pending.id, pending);
    this.#toEngine.send(() => this.#serve(pending));
    return pending;
  }

  credit(): void {
    // The model engine answers in one part.
  }

  cancel(ticket: RequestTicket): void {
    const pending = this.#pending.get(ticket.id);
    if (!pending?.database.requests.delete(pending)) return;
    this.#pending.delete(ticket.id);
    this.#toEngine.send(() => this.#cancelled.add(ticket.id));
    pending.handler.onLost(this.#lost(pending, 'cancelled', 'the client went away'));
  }

  /** The process ends now; the node hears of it a little later. */
  kill(cause: EngineExit['cause'], culprit?: PendingRequest): void {
    if (!this.#runs) return;
    this.#options.world.note(this.#options.name, `ends: ${cause}`);
    this.#runs = false;
    for (const database of this.#databases.values()) database.close();
    this.#databases.clear();
    this.#toNode.breakOff();
    this.#toNode.send(() => this.#finish(cause, culprit));
  }

  // --- in the engine process

  /** The one thread of the engine takes messages in order, each for a moment. */
  #execute(run: () => void): void {
    const { world } = this.#options;
    this.#busyUntilMs = Math.max(this.#busyUntilMs, world.nowMs) + this.#random.fraction() * 0.3;
    world.schedule(this.#busyUntilMs - world.nowMs, () => {
      if (this.#runs && !this.#isStuck) run();
    });
  }

  #openDatabase(opening: OpenInEngine, { path, commit, limits }: DatabaseToOpen): void {
    const { world, observer } = this.#options;
    const file: MemoryFile | undefined = this.directory.file(path);
    if (!file) {
      this.#toNode.send(() => {
        opening.openFailed('ENGINE_RESTARTED', `there is no file ${path}`);
        this.#open.delete(opening.handle);
      });
      return;
    }
    let pages: PageDatabase;
    try {
      pages = new PageDatabase(observer.line(opening.id), file.content);
      if (pages.commit !== commit) throw new TornImageError(`it is commit ${pages.commit}, restored as ${commit}`);
    } catch (error) {
      if (!(error instanceof TornImageError)) throw error;
      world.violate(`the restored file of database ${opening.id} is no committed state: ${error.message}`);
      this.#toNode.send(() => {
        opening.openFailed('STORE_OBJECT_CORRUPT', error.message);
        this.#open.delete(opening.handle);
      });
      return;
    }
    observer.opened(opening.id, pages.commit, pages.history);
    const model = new ModelDatabase({
      pages,
      limits,
      random: this.#random,
      schedule: (ms, run) =>
        world.schedule(ms, () => {
          if (this.#runs && !this.#isStuck && this.#databases.get(opening.handle) === model) run();
        }),
      onCommit: (commit, markers) => {
        const { commit: number, databasePages, pages: records } = commit;
        observer.committed(opening.id, commit, markers);
        world.note(this.#options.name, `commit ${number} of ${opening.id.slice(0, 8)}, ${databasePages} pages`);
        this.#toNode.send(() => {
          if (!this.#open.has(opening.handle)) return;
          observer.handed?.(opening.id, commit.history, this.#options.machine.nowMs());
          opening.committed(number, databasePages, records, true);
        });
      },
      onStreams: (open) =>
        this.#toNode.send(() => {
          if (this.#open.has(opening.handle)) opening.events.onStreams(open);
        }),
    });
    this.#databases.set(opening.handle, model);
    this.#toNode.send(() => opening.opened());
  }

  #serve(pending: PendingRequest): void {
    const model = this.#databases.get(pending.database.handle);
    if (!model || this.#cancelled.delete(pending.id)) return;
    model.serve({
      request: decodeRequest(pending.request.body),
      readOnly: pending.request.readOnly,
      onAnswer: (status, body, seenCommit) =>
        this.#toNode.send(() => {
          if (!this.#pending.delete(pending.id)) return;
          pending.database.requests.delete(pending);
          pending.handler.onPart({ status, seenCommit, last: true, body: Buffer.from(JSON.stringify(body)) });
        }),
      onSpin: () => {
        this.#isStuck = true;
        this.#options.world.schedule(this.#options.statementDeadlineMs, () => this.kill('deadline', pending));
      },
    });
  }

  // --- in the node

  #drop(database: OpenInEngine): void {
    this.#open.delete(database.handle);
    this.#forgetRequests(database);
    database.gone('the database was closed', (pending) => this.#lost(pending, 'closed', 'the database was closed'));
  }

  #finish(cause: EngineExit['cause'], culprit: PendingRequest | undefined): void {
    const detail = `the engine process ended (${cause})`;
    this.#exit = {
      cause,
      detail,
      served: true,
      culprit: culprit && { request: culprit.id, database: culprit.database.handle },
    };
    this.directory.remove();
    const databases = [...this.#open.values()];
    this.#open.clear();
    this.#options.onExit();
    for (const database of databases) {
      this.#forgetRequests(database);
      database.gone(detail, (pending) => this.#lost(pending, cause, detail));
    }
  }

  #forgetRequests(database: OpenInEngine): void {
    for (const [id, pending] of this.#pending) if (pending.database === database) this.#pending.delete(id);
  }

  #lost(pending: PendingRequest, cause: LostRequest['cause'], reason: string): LostRequest {
    return {
      cause,
      reason,
      isCulprit: this.#exit?.culprit?.request === pending.id,
      hasCommitted: pending.database.mayHaveCommitted(pending),
      deadlineMs: this.#options.statementDeadlineMs,
      memoryBytes: Infinity,
    };
  }
}
