/**
 * The databases of one node: finds them by name, opens them on demand, closes idle ones, hands them over, creates and
 * deletes.
 *
 * For each database at most one thing happens at a time (open, close, hand over, create, delete); requests run between
 * these. A request that finds its database handed over gets `DATABASE_MOVED` and has had no effect.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { assertDatabaseAddress, hostLabel, type DatabaseAddress } from '../naming/host-label.js';
import type { PresentedKey } from '../keys/client-key.js';
import { branchDatabase } from './branch-database.js';
import { changeWrappingOfClosed, type WrappingChange } from './change-wrapping.js';
import { isKeyRefusal, isSamePresented } from './client-key-admission.js';
import { collectClosed } from './collect-database.js';
import { rewrapClosed } from './rewrap-database.js';
import { createDatabase, deleteDatabase, describe, findByName, undeleteDatabase } from './database-records.js';
import { listDatabases, storedBytes } from './database-inventory.js';
import type {
  DatabaseDescription,
  DatabaseService,
  InventoryEntry,
  NewDatabase,
  DatabaseRequest,
  SqlRequest,
  SqlResponse,
} from './database-service.js';
import { pullLimits, type DatabasePulls } from './database-pulls.js';
import type { PreparedPull } from './pull-updates.js';
import { TableRights } from '../engine/process/table-rights.js';
import { decodePullRequest } from '../sync/pull-request.js';
import { jsonAnswer, type FileAnswer, type FileRequest } from './file-request.js';
import { finalizeUpload, startUpload, storeUploadedChunk } from './upload-database.js';
import { isUpload, UploadKeys, type UploadRequest } from './upload-keys.js';
import type { NodeContext } from './node-context.js';
import { observedOpening } from './node-observer.js';
import { OpeningPlaces } from './opening-places.js';
import { OpenDatabase } from './open-database.js';
import { encryptionState, type EncryptionState } from './encryption-state.js';
import { changeHoldOfClosed, holdState, type HoldChange, type HoldState } from './hold-database.js';
import { own } from './ready-database.js';
import { rekeyClosed, resealClosed, type RekeyRequest } from './rekey-database.js';
import { continuesStream } from './stream-request.js';
import { settleDatabase } from './settle-database.js';
import { readCertificate, requestShred, type ShredRequest } from './shred-database.js';
import { onStreamEnd } from './stream-end.js';
import { isResealing } from '../storage/data-key-use.js';
import { assertNotHeld } from '../storage/legal-hold.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';

interface Entry {
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

export interface NodeDatabasesLimits {
  /** Beyond this many the longest unused databases are closed early. */
  readonly maxOpen: number;
  /** Names whose database is remembered. */
  readonly maxRememberedNames: number;
}

export class NodeDatabases implements DatabaseService {
  readonly #context: NodeContext;
  readonly #limits: NodeDatabasesLimits;
  /** In order of last use, longest unused first. */
  readonly #open = new Map<DatabaseId, Entry>();
  readonly #exclusive = new Map<DatabaseId, Promise<unknown>>();
  readonly #uploadKeys: UploadKeys;
  readonly #openings: OpeningPlaces;
  readonly #byLabel = new Map<string, DatabaseDescription>();
  /** How often a name was forgotten: what was looked up before may be out of date after. */
  #forgotten = 0;
  #cancelSweep: (() => void) | undefined;
  #state: 'serving' | 'handing over' | 'stopping' = 'serving';

  constructor(context: NodeContext, limits: NodeDatabasesLimits) {
    this.#context = context;
    this.#limits = limits;
    this.#uploadKeys = new UploadKeys(context.runtime);
    this.#openings = new OpeningPlaces({ runtime: context.runtime, ...openingPlaces });
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Streams of all of them that keep their database open. */
  get openStreams(): number {
    let streams = 0;
    for (const { opened } of this.#open.values()) streams += opened?.openStreams ?? 0;
    return streams;
  }

  async find(
    organization: string,
    name: string,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<DatabaseDescription | undefined> {
    const address = { organization, database: name };
    const label = hostLabel(address);
    const remembered = this.#byLabel.get(label);
    if (remembered && !fresh) return remembered;
    const forgotten = this.#forgotten;
    const description = await findByName(this.#context, address);
    if (description && forgotten === this.#forgotten) this.#remember(label, description);
    return description;
  }

  async describe(id: DatabaseId): Promise<DatabaseDescription | undefined> {
    return describe(this.#context, id);
  }

  async inventory(after: DatabaseId | undefined, limit: number): Promise<InventoryEntry[]> {
    return listDatabases(this.#context, after, limit);
  }

  async storedBytes(id: DatabaseId): Promise<number> {
    return storedBytes(this.#context, id);
  }

  /** Whether requests for the database can run here at once, or are about to. */
  isOpen(id: DatabaseId): boolean {
    return this.#open.has(id);
  }

  /** `found` is the manifest when it was just read. */
  async execute(id: DatabaseId, request: DatabaseRequest, found?: VersionedManifest): Promise<SqlResponse> {
    return isSql(request) ? this.#executeSql(id, request, found) : this.#pull(id, request, found);
  }

  async #executeSql(id: DatabaseId, request: SqlRequest, found?: VersionedManifest): Promise<SqlResponse> {
    const { kind, body, clientKey } = request;
    const continues = (): boolean => continuesStream(kind, body);
    const { entry, database } = await this.#enter(id, { continues, clientKey }, found);
    let response: SqlResponse | undefined;
    try {
      response = await database.execute(request);
    } finally {
      if (response === undefined || Buffer.isBuffer(response.body)) this.#release(entry);
    }
    if (Buffer.isBuffer(response.body)) return response;
    return { status: response.status, body: onStreamEnd(response.body, () => this.#release(entry)) };
  }

  /** Answers a pull. While it waits for a change it holds nothing: the database may be closed or handed over meanwhile. */
  async #pull(id: DatabaseId, request: DatabaseRequest, found?: VersionedManifest): Promise<SqlResponse> {
    const { runtime } = this.#context;
    const { signal, clientKey } = request;
    const { permissions } = request.restrictions ?? {};
    // A page holds whatever lies next to each other.
    if (permissions) new TableRights(permissions).checkReadsAll('a pull of pages');
    const pull = decodePullRequest(request.body);
    const mayWait = pull.clientRevision !== undefined && pull.serverRevision === undefined;
    const deadlineMs = runtime.monotonicMs() + (mayWait ? Math.min(pull.longPollTimeoutMs, pullLimits.maxWaitMs) : 0);
    for (let manifest = found; ; manifest = undefined) {
      const { entry, database } = await this.#enter(id, { continues: () => false, clientKey }, manifest);
      let pulls: DatabasePulls;
      let prepared: PreparedPull;
      try {
        pulls = database.pulls(clientKey);
        prepared = await pulls.prepare(pull, request, () => this.#release(entry));
      } catch (error) {
        this.#release(entry);
        throw error;
      }
      const { body, commit, isUnchanged } = prepared;
      const leftMs = deadlineMs - runtime.monotonicMs();
      if (!isUnchanged || leftMs <= 0) return { status: 200, body };
      const unchanged = await whole(body);
      if ((await pulls.wait(commit, leftMs, signal)) === 'nothing') return { status: 200, body: unchanged };
    }
  }

  async serveFile(id: DatabaseId, request: FileRequest): Promise<FileAnswer> {
    if (isUpload(request)) return this.#serveUpload(id, request);
    const { entry, database } = await this.#enter(
      id,
      { continues: () => false, clientKey: request.clientKey },
      undefined,
    );
    let answer: FileAnswer | undefined;
    try {
      answer = await database.serveFile(request);
    } finally {
      if (answer === undefined || Buffer.isBuffer(answer.body)) this.#release(entry);
    }
    if (Buffer.isBuffer(answer.body)) return answer;
    return { ...answer, body: onStreamEnd(answer.body, () => this.#release(entry)) };
  }

  /** Chunks may come side by side; what begins and ends an upload has the database to itself. */
  async #serveUpload(id: DatabaseId, request: UploadRequest): Promise<FileAnswer> {
    if (this.#state !== 'serving') throw new ByocError('DATABASE_MOVED', 'this node takes no more databases');
    const { operation, body } = request;
    const context = this.#context;
    const clientKey = this.#uploadKeys.keyFor(id, request.clientKey);
    switch (operation.kind) {
      case 'upload-start': {
        const { upload, chunkBytes } = await this.#alone(id, async () =>
          startUpload(context, id, operation.sizeBytes, request.restrictions),
        );
        return jsonAnswer(200, { upload_id: upload, chunk_size: chunkBytes });
      }
      case 'upload-chunk':
        await storeUploadedChunk(context, id, operation, body, clientKey);
        this.#uploadKeys.keep(id, clientKey);
        return jsonAnswer(200, {});
      case 'upload-finalize':
        await this.#alone(id, async () => finalizeUpload(context, id, operation.upload, clientKey));
        this.#uploadKeys.forget(id);
        return jsonAnswer(200, {});
    }
  }

  async create(database: NewDatabase): Promise<DatabaseDescription> {
    assertDatabaseAddress({ organization: database.organization, database: database.name });
    if (database.branch) return this.#branch(database, database.branch);
    return this.#alone(database.id, async () => createDatabase(this.#context, database));
  }

  async undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription> {
    return this.#alone(id, async () => undeleteDatabase(this.#context, id, newName));
  }

  async collect(id: DatabaseId): Promise<void> {
    while (this.#open.has(id)) {
      const done = await this.#whileOpen(id, async (database) => database.collect());
      if (done) return;
    }
    await this.#alone(id, async () => collectClosed(this.#context, await this.#manifestToChange(id)));
  }

  async rewrap(id: DatabaseId, keyId: string): Promise<boolean> {
    while (this.#open.has(id)) {
      const done = await this.#whileOpen(id, async (database) => database.rewrap(keyId));
      if (done) return done.result;
    }
    return this.#alone(id, async () => rewrapClosed(this.#context, await this.#manifestToChange(id), keyId));
  }

  async rekey(id: DatabaseId, request: RekeyRequest): Promise<EncryptionState> {
    while (this.#open.has(id)) {
      const done = await this.#whileOpen(id, async (database) => database.rekey(request));
      if (done) return this.encryption(id);
    }
    await this.#alone(id, async () => rekeyClosed(this.#context, await this.#manifestToChange(id), request));
    // What is left is done by the next call, by whoever opens the database, or by the next look for garbage.
    const resealed = await this.#resealStep(id);
    if (resealed && !isResealing(resealed.manifest) && resealed.manifest.retiring?.some((key) => key.dropHistory)) {
      await this.collect(id);
    }
    return this.encryption(id);
  }

  async changeWrapping(id: DatabaseId, change: WrappingChange): Promise<EncryptionState> {
    let isDone = false;
    while (!isDone && this.#open.has(id)) {
      isDone = (await this.#whileOpen(id, async (database) => database.changeWrapping(change))) !== undefined;
    }
    if (!isDone) {
      await this.#alone(id, async () =>
        changeWrappingOfClosed(this.#context, await this.#manifestToChange(id), change),
      );
    }
    this.#forgetId(id);
    return this.encryption(id);
  }

  /** Ends the work of sealing a database anew that nobody has open. Throws what `resealClosed` throws. */
  async reseal(id: DatabaseId): Promise<void> {
    for (let more = await this.#resealStep(id); more && isResealing(more.manifest);) more = await this.#resealStep(id);
  }

  /** Undefined when it is open, which makes it go on by itself, or deleted. */
  async #resealStep(id: DatabaseId): Promise<VersionedManifest | undefined> {
    return this.#alone(id, async () => {
      const found = await this.#manifestToChange(id);
      const { deletedAtMs, encryption } = found.manifest;
      if (this.#open.has(id) || deletedAtMs !== undefined || encryption.mode === 'client') return undefined;
      return resealClosed(this.#context, found);
    });
  }

  async encryption(id: DatabaseId): Promise<EncryptionState> {
    const found = await this.#context.manifests.read(id);
    if (!found || found.manifest.deletedAtMs !== undefined) {
      throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    }
    return encryptionState(this.#context, found.manifest);
  }

  async shred(id: DatabaseId, request: ShredRequest): Promise<ShredCertificate> {
    await this.#alone(id, async () => {
      const found = await this.#manifestToChange(id);
      if (found.manifest.certificate === undefined) {
        await collectClosed(this.#context, await requestShred(this.#context, found, request));
      }
    });
    return this.certificate(id);
  }

  async certificate(id: DatabaseId): Promise<ShredCertificate> {
    return readCertificate(this.#context, id);
  }

  async changeHold(id: DatabaseId, change: HoldChange): Promise<HoldState> {
    let isDone = false;
    while (!isDone && this.#open.has(id)) {
      isDone = (await this.#whileOpen(id, async (database) => database.changeHold(change))) !== undefined;
    }
    if (!isDone) {
      await this.#alone(id, async () => changeHoldOfClosed(this.#context, await this.#manifestToChange(id), change));
    }
    return this.holds(id);
  }

  async holds(id: DatabaseId): Promise<HoldState> {
    const found = await this.#context.manifests.read(id);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    return holdState(found.manifest);
  }

  async #manifestToChange(id: DatabaseId): Promise<VersionedManifest> {
    if (this.#state !== 'serving') throw new ByocError('DATABASE_MOVED', 'this node takes no more databases');
    const found = await this.#context.manifests.read(id);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    return found;
  }

  async delete(id: DatabaseId): Promise<void> {
    await this.#alone(id, async () => {
      const entry = this.#open.get(id);
      // A deletion that is refused ends nothing for those who use the database.
      if (entry) {
        const manifest = entry.opened?.manifest ?? (await this.#context.manifests.read(id))?.manifest;
        if (manifest) assertNotHeld(manifest, 'it is not deleted');
      }
      this.#open.delete(id);
      const open = await entry?.database.catch(() => undefined);
      open?.abandon(new ByocError('DATABASE_NOT_FOUND', 'the database was deleted'));
      await open?.resolved();
      const address = await deleteDatabase(this.#context, id);
      if (address) this.#forget(address);
    });
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
  async #handOverOne(id: DatabaseId, entry: Entry, deadlineMs: number, how: { fold: boolean }): Promise<void> {
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
      await this.#alone(id, async () => database.release(how));
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
  async #enter(
    id: DatabaseId,
    { continues, clientKey }: { readonly continues: () => boolean; readonly clientKey?: PresentedKey | undefined },
    found: VersionedManifest | undefined,
  ): Promise<{ readonly entry: Entry; readonly database: OpenDatabase }> {
    for (let manifest = found; ; manifest = undefined) {
      const open = (): Entry => this.#startOpening(id, manifest, clientKey);
      const entry = await this.#acquire(id, continues, open);
      try {
        return { entry, database: await entry.database };
      } catch (error) {
        this.#release(entry);
        if (!isKeyRefusal(error) || isSamePresented(entry.opener, clientKey)) throw error;
      }
    }
  }

  /** Runs `use` on the database when it is open here; undefined when it is not, or whoever opens it has a wrong key. */
  async #whileOpen<T>(
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
      this.#release(entry);
    }
  }

  /**
   * The entry of the database, `open`'s when there is none. `continues`: whether it is for a stream, which keeps the database
   * here until it has ended.
   */
  async #acquire<T extends Entry | undefined>(
    id: DatabaseId,
    continues: () => boolean,
    open: () => T,
  ): Promise<Entry | T> {
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

  #release(entry: Entry): void {
    entry.users -= 1;
    entry.lastUsedMs = this.#context.runtime.monotonicMs();
  }

  #startOpening(id: DatabaseId, justRead: VersionedManifest | undefined, presented: PresentedKey | undefined): Entry {
    const onDefunct = (error: ByocError): void => {
      this.#context.report('database given up', { database: id, code: error.code, error: error.message });
      if (this.#open.get(id) !== entry) return;
      this.#open.delete(id);
      void this.#alone(id, async () => (await database).resolved());
    };
    const database = observedOpening(this.#context, id, async () =>
      this.#openings.run(async () => OpenDatabase.open(this.#context, id, onDefunct, { justRead, presented })),
    );
    const lastUsedMs = this.#context.runtime.monotonicMs();
    const entry: Entry = { database, opened: undefined, opener: presented, users: 0, lastUsedMs };
    this.#open.set(id, entry);
    database.then(
      (opened) => {
        entry.opener = undefined;
        entry.opened = opened;
      },
      (error: unknown) => {
        if (this.#open.get(id) === entry) this.#open.delete(id);
        if (error instanceof ByocError && error.code === 'DATABASE_NOT_FOUND') this.#forgetId(id);
      },
    );
    this.#armSweep();
    return entry;
  }

  /** A database that is not open is branched without opening it: what it consists of is in the store. */
  async #branch(
    child: NewDatabase,
    { parent, timeMs }: NonNullable<NewDatabase['branch']>,
  ): Promise<DatabaseDescription> {
    const moment = timeMs === undefined ? undefined : { timeMs };
    while (this.#open.has(parent)) {
      const done = await this.#whileOpen(parent, async (database) => database.branch(child, moment));
      if (done) return done.result;
    }
    return this.#alone(parent, async () => {
      if (this.#state !== 'serving') throw new ByocError('DATABASE_MOVED', 'this node takes no more databases');
      const owned = await own(this.#context, parent, { presented: child.encryption });
      try {
        return (await branchDatabase(this.#context, owned, child, moment)).branch;
      } finally {
        owned.unlocked.wipe();
      }
    });
  }

  /**
   * Makes a database independent of the logs of ended epochs: claims it if need be, folds it, and gives it up again. Throws
   * `OVERLOADED` while it is in use here, which makes it so in time, and what `own` and `foldDatabase` throw.
   */
  async settle(id: DatabaseId): Promise<void> {
    await this.#alone(id, async () => {
      if (this.#state !== 'serving') throw new ByocError('DATABASE_MOVED', 'this node takes no more databases');
      if (this.#open.has(id)) throw new ByocError('OVERLOADED', `database ${id} is in use`);
      await settleDatabase(this.#context, id);
    });
  }

  /**
   * Runs `work` while nothing else happens to the database. Who waits for his turn counts from the call on: nobody opens
   * the database in between, so what was not open when this was called is not open when `work` runs.
   */
  async #alone<T>(id: DatabaseId, work: () => Promise<T>): Promise<T> {
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
      const isSurplus = this.#open.size > this.#limits.maxOpen;
      const isIdle = runtime.monotonicMs() - entry.lastUsedMs >= policy.idleCloseMs;
      if (!isIdle && !isSurplus) break;
      if (entry.users > 0) continue;
      const database = await entry.database.catch(() => undefined);
      if (!database || entry.users > 0 || database.openStreams > 0 || !database.isQuiet || this.#open.get(id) !== entry)
        continue;
      this.#open.delete(id);
      // Once it is folded it does not hold the log of an ended epoch any more.
      const isGivenUp = this.#context.prefersAnotherNode(id) || database.manifest.tail.length > 0;
      void this.#alone(id, async () => (isGivenUp ? database.release({ fold: true }) : database.close())).catch(
        (error: unknown) => this.#context.report('close failed', { database: id, error: String(error) }),
      );
    }
  }

  #remember(label: string, description: DatabaseDescription): void {
    if (this.#byLabel.size >= this.#limits.maxRememberedNames) {
      const [oldest] = this.#byLabel.keys();
      if (oldest !== undefined) this.#byLabel.delete(oldest);
    }
    this.#byLabel.set(label, description);
  }

  #forget(address: DatabaseAddress): void {
    this.#forgotten += 1;
    this.#byLabel.delete(hostLabel(address));
  }

  #forgetId(id: DatabaseId): void {
    this.#forgotten += 1;
    for (const [label, description] of this.#byLabel) if (description.id === id) this.#byLabel.delete(label);
  }
}

function isSql(request: DatabaseRequest): request is SqlRequest {
  return request.kind !== 'pull-updates';
}

async function whole(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}
