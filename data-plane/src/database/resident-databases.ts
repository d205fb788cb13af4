/**
 * The databases that are open on this node. For each database at most one thing happens at a time (open, close, hand over,
 * create, delete); requests run between these. A request that finds its database handed over gets `DATABASE_MOVED` and has
 * had no effect.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { isKeyRefusal, isSamePresented } from './client-key-admission.js';
import type { NodeContext } from './node-context.js';
import { observedOpening } from './node-observer.js';
import { OpenDatabase } from './open-database.js';
import { OpeningPlaces } from './opening-places.js';

export interface Resident {
  /** The open database, or the attempt to open it. */
  readonly database: Promise<OpenDatabase>;
  /** The same, once it is open. */
  opened: OpenDatabase | undefined;
  /** What was sent of a client's key by whoever began to open it; while it is being opened. */
  opener: PresentedKey | undefined;
  users: number;
  lastUsedMs: number;
  /** Set while the database is being handed over: resolves when it is gone. */
  leaving?: Promise<void>;
}

/** Databases that are handed over at the same time. */
const parallelHandOvers = 32;
/** How often a database that is to be handed over is looked at again while somebody uses it. */
const handOverPollMs = 10;

/** Many enough for the round trips of one opening to overlap with the work of the others. */
const openingPlaces = { places: 16, longestMs: 100 };

export interface ResidentDatabasesOptions {
  /** Beyond this many the longest unused databases are closed early. */
  readonly maxOpen: number;
  /** Somebody wanted to open a database that there is not any more. */
  readonly onNotFound: (id: DatabaseId) => void;
}

export class ResidentDatabases {
  readonly #context: NodeContext;
  readonly #options: ResidentDatabasesOptions;
  /** In order of last use, longest unused first. */
  readonly #open = new Map<DatabaseId, Resident>();
  readonly #exclusive = new Map<DatabaseId, Promise<unknown>>();
  readonly #openings: OpeningPlaces;
  #cancelSweep: (() => void) | undefined;
  #state: 'serving' | 'handing over' | 'stopping' = 'serving';

  constructor(context: NodeContext, options: ResidentDatabasesOptions) {
    this.#context = context;
    this.#options = options;
    this.#openings = new OpeningPlaces({ runtime: context.runtime, ...openingPlaces });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Streams of all of them that keep their database open. */
  get openStreams(): number {
    let streams = 0;
    for (const { opened } of this.#open.values()) streams += opened?.openStreams ?? 0;
    return streams;
  }

  /** Whether requests for the database can run here at once, or are about to. */
  has(id: DatabaseId): boolean {
    return this.#open.has(id);
  }

  /** Throws `DATABASE_MOVED` when this node takes no more databases. */
  assertServing(): void {
    if (this.#state !== 'serving') throw new ByocError('DATABASE_MOVED', 'this node takes no more databases');
  }

  /**
   * Gives up a database that is open, or being opened: everything is answered with `error`. For whoever has it alone. When
   * `assertMayGo`, which is told what is open, throws, it ends nothing for those who use the database.
   */
  async evict(
    id: DatabaseId,
    error: ByocError,
    assertMayGo: (opened: OpenDatabase | undefined) => Promise<void>,
  ): Promise<void> {
    const resident = this.#open.get(id);
    if (resident) await assertMayGo(resident.opened);
    this.#open.delete(id);
    const open = await resident?.database.catch(() => undefined);
    open?.abandon(error);
    await open?.resolved();
  }

  /** Answers everything with `error` and opens nothing any more: this epoch has ended. */
  abandon(error: ByocError): void {
    this.#state = 'stopping';
    this.#cancelSweep?.();
    for (const entry of this.#open.values())
      void entry.database.then((database) => database.abandon(error)).catch(() => undefined);
    this.#open.clear();
  }

  /** Closes every database; running requests have ended before, or are lost. */
  async close(): Promise<void> {
    this.#state = 'stopping';
    this.#cancelSweep?.();
    const entries = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(
      entries.map(async ({ database }) => {
        const open = await database.catch(() => undefined);
        await open?.close();
      }),
    );
  }

  /**
   * Hands every open database over, each as soon as nobody uses it: requests that continue a stream are let in until it
   * has ended, others are sent elsewhere when the database is gone. Takes no more databases from now on. Resolves when all
   * are gone or `handOverTimeoutMs` have passed; what is still open then is for `close`.
   */
  async handOver(): Promise<void> {
    const { runtime, policy } = this.#context;
    this.#state = 'handing over';
    this.#cancelSweep?.();
    const deadlineMs = runtime.monotonicMs() + policy.handOverTimeoutMs;
    const waiting = [...this.#open];
    const workers = Array.from({ length: Math.min(parallelHandOvers, waiting.length) }, async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const [id, entry] = next;
        if (this.#open.get(id) === entry) await this.#handOverOne(id, entry, deadlineMs, { fold: false });
      }
    });
    await Promise.all(workers);
  }

  /** Hands over what nobody uses here and would be better off on another node. */
  async rebalance(): Promise<void> {
    for (const [id, entry] of [...this.#open]) {
      if (this.#state !== 'serving') return;
      if (this.#open.get(id) !== entry || !this.#context.prefersAnotherNode(id)) continue;
      await this.#handOverOne(id, entry, this.#context.runtime.monotonicMs(), { fold: true });
    }
  }

  /** Waits until nobody uses the database, at most until `deadlineMs`, and gives it up. */
  async #handOverOne(id: DatabaseId, entry: Resident, deadlineMs: number, how: { fold: boolean }): Promise<void> {
    const { runtime, report } = this.#context;
    const database = await entry.database.catch(() => undefined);
    if (!database) return;
    const isUsed = (): boolean => entry.users > 0 || database.openStreams > 0;
    if (isUsed() && runtime.monotonicMs() >= deadlineMs) return;
    let gone = (): void => undefined;
    entry.leaving = new Promise<void>((resolve) => (gone = resolve));
    database.endWaits();
    try {
      while (isUsed() && this.#open.get(id) === entry) {
        if (runtime.monotonicMs() >= deadlineMs) return;
        await runtime.sleep(handOverPollMs);
      }
      if (this.#open.get(id) !== entry) return;
      this.#open.delete(id);
      await this.alone(id, async () => database.release(how));
    } catch (error) {
      // It stays this epoch's; whoever recovers the epoch finds it in the recovery record.
      report('a database was not released', { database: id, error: String(error) });
    } finally {
      delete entry.leaving;
      gone();
    }
  }

  /**
   * Opens the database for a request, or joins those who use it. Whoever joins one who opens it with a wrong key does not
   * fail with that one, but tries with the key that he has himself.
   */
  async enter(
    id: DatabaseId,
    { continues, clientKey }: { readonly continues: () => boolean; readonly clientKey?: PresentedKey | undefined },
    found: VersionedManifest | undefined,
  ): Promise<{ readonly entry: Resident; readonly database: OpenDatabase }> {
    for (let manifest = found; ; manifest = undefined) {
      const open = (): Resident => this.#startOpening(id, manifest, clientKey);
      const entry = await this.#acquire(id, continues, open);
      try {
        return { entry, database: await entry.database };
      } catch (error) {
        this.release(entry);
        if (!isKeyRefusal(error) || isSamePresented(entry.opener, clientKey)) throw error;
      }
    }
  }

  /** Runs `use` on the database when it is open here; undefined when it is not, or whoever opens it has a wrong key. */
  async whileOpen<T>(
    id: DatabaseId,
    use: (database: OpenDatabase) => Promise<T>,
  ): Promise<{ readonly result: T } | undefined> {
    const entry = await this.#acquire(
      id,
      () => false,
      () => undefined,
    );
    if (!entry) return undefined;
    try {
      const database = await entry.database.catch((error: unknown) => {
        if (isKeyRefusal(error)) return undefined;
        throw error;
      });
      return database && { result: await use(database) };
    } finally {
      this.release(entry);
    }
  }

  /**
   * The entry of the database, `open`'s when there is none. `continues`: whether it is for a stream, which keeps the database
   * here until it has ended.
   */
  async #acquire<T extends Resident | undefined>(
    id: DatabaseId,
    continues: () => boolean,
    open: () => T,
  ): Promise<Resident | T> {
    for (;;) {
      if (this.#state === 'stopping') throw new ByocError('SHUTTING_DOWN', 'the node is stopping');
      const leaving = this.#open.get(id)?.leaving;
      if (leaving && !continues()) {
        await leaving;
        throw new ByocError('DATABASE_MOVED', `database ${id} was handed over to another node`);
      }
      const busy = this.#exclusive.get(id);
      if (busy) {
        await busy.catch(() => undefined);
        continue;
      }
      if (this.#state === 'handing over' && !this.#open.has(id)) {
        throw new ByocError('DATABASE_MOVED', `database ${id} is not taken by a node that hands its databases over`);
      }
      const entry = this.#open.get(id) ?? open();
      if (!entry) return entry;
      entry.users += 1;
      entry.lastUsedMs = this.#context.runtime.monotonicMs();
      // The map keeps the order of insertion: the longest unused entry stays first.
      this.#open.delete(id);
      this.#open.set(id, entry);
      return entry;
    }
  }

  release(entry: Resident): void {
    entry.users -= 1;
    entry.lastUsedMs = this.#context.runtime.monotonicMs();
  }

  #startOpening(
    id: DatabaseId,
    justRead: VersionedManifest | undefined,
    presented: PresentedKey | undefined,
  ): Resident {
    const onDefunct = (error: ByocError): void => {
      this.#context.report('database given up', { database: id, code: error.code, error: error.message });
      if (this.#open.get(id) !== entry) return;
      this.#open.delete(id);
      void this.alone(id, async () => (await database).resolved());
    };
    const database = observedOpening(this.#context, id, async () =>
      this.#openings.run(async () => OpenDatabase.open(this.#context, id, onDefunct, { justRead, presented })),
    );
    const lastUsedMs = this.#context.runtime.monotonicMs();
    const entry: Resident = { database, opened: undefined, opener: presented, users: 0, lastUsedMs };
    this.#open.set(id, entry);
    database.then(
      (opened) => {
        entry.opener = undefined;
        entry.opened = opened;
      },
      (error: unknown) => {
        if (this.#open.get(id) === entry) this.#open.delete(id);
        if (error instanceof ByocError && error.code === 'DATABASE_NOT_FOUND') this.#options.onNotFound(id);
      },
    );
    this.#armSweep();
    return entry;
  }

  /**
   * Runs `work` while nothing else happens to the database. Who waits for his turn counts from the call on: nobody opens
   * the database in between, so what was not open when this was called is not open when `work` runs.
   */
  async alone<T>(id: DatabaseId, work: () => Promise<T>): Promise<T> {
    const before = this.#exclusive.get(id);
    const running = (before ? before.then(work, work) : work()).finally(() => {
      if (this.#exclusive.get(id) === running) this.#exclusive.delete(id);
    });
    this.#exclusive.set(id, running);
    return running;
  }

  #armSweep(): void {
    if (this.#cancelSweep || this.#open.size === 0 || this.#state !== 'serving') return;
    this.#cancelSweep = this.#context.runtime.schedule(Math.max(100, this.#context.policy.idleCloseMs / 10), () => {
      this.#cancelSweep = undefined;
      void this.#sweep().finally(() => this.#armSweep());
    });
  }

  /** Closes what nobody uses. The timer runs only while databases are open. */
  async #sweep(): Promise<void> {
    const { runtime, policy } = this.#context;
    for (const [id, entry] of [...this.#open]) {
      const isSurplus = this.#open.size > this.#options.maxOpen;
      const isIdle = runtime.monotonicMs() - entry.lastUsedMs >= policy.idleCloseMs;
      if (!isIdle && !isSurplus) break;
      if (entry.users > 0) continue;
      const database = await entry.database.catch(() => undefined);
      if (!database || entry.users > 0 || database.openStreams > 0 || !database.isQuiet || this.#open.get(id) !== entry)
        continue;
      this.#open.delete(id);
      // Once it is folded it does not hold the log of an ended epoch any more.
      const isGivenUp = this.#context.prefersAnotherNode(id) || database.manifest.tail.length > 0;
      void this.alone(id, async () => (isGivenUp ? database.release({ fold: true }) : database.close())).catch(
        (error: unknown) => this.#context.report('close failed', { database: id, error: String(error) }),
      );
    }
  }
}
