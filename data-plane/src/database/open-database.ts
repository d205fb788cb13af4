/**
 * An open database of this node: the state that joins an engine process, the commit log and the gate.
 *
 * Invariants. Commits enter the log in the order the engine made them and under the number it gave them. An answer
 * leaves through the gate. When the engine process dies, the database is restored from the store at the last commit that
 * was handed to the log, and only after every log object that holds one of its commits is resolved: a commit that may
 * still become durable must be part of what the next engine process sees, or history would fork.
 */
import type { OpenedInEngine } from '../engine/pool/engine-pool.js';
import type { EnginePlace } from '../engine/pool/engines.js';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { HeldKey } from '../keys/key-watch.js';
import type { Sealer } from '../keys/sealing.js';
import type { LoggedDatabase } from '../storage/commit-log.js';
import { commitDefect, type Commit, type FragmentDigest } from '../storage/fragment.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { Manifest } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { Moment } from '../storage/moment.js';
import { branchDatabase } from './branch-database.js';
import { Admission } from './client-key-admission.js';
import { collectDatabase } from './collect-database.js';
import type { DatabaseDescription, NewDatabase, SqlRequest, SqlResponse } from './database-service.js';
import { heldKeys, keyError } from './database-keys.js';
import { DurabilityGate } from './durability-gate.js';
import { foldDatabase, isFoldDue } from './fold-database.js';
import { lostRequestError, RequestLostError, runInEngine } from './engine-request.js';
import type { NodeContext } from './node-context.js';
import { rewrapDatabase } from './rewrap-database.js';
import { own, releaseDatabase, restoreTo, type OwnedDatabase, type OwningFrom } from './ready-database.js';

/** One stay of the database in one engine process. */
interface Session {
  readonly slot: EnginePlace;
  readonly opened: OpenedInEngine;
  readonly directoryName: string;
  readonly stay: Stay;
}

/** What changes while the database is in an engine process. */
interface Stay {
  /** Bytes that the engine's local WAL has grown by since it was last folded into the local file. */
  walBytes: number;
  checkpointing: boolean;
  /** Why the engine lost the database, if that happened before it was open. */
  lost: string | undefined;
  onLost: (reason: string) => void;
  /** Set when the database is open. */
  checkpoint?: (commit: number) => Promise<boolean>;
}

/** How many engine processes may die while a database is being opened in them. */
const maxPlacements = 3;

/** A request that lost its engine process is run again this often, if nothing of it can have taken effect. */
const maxReruns = 2;

export class OpenDatabase implements LoggedDatabase {
  readonly id: DatabaseId;
  readonly #context: NodeContext;
  readonly #gate: DurabilityGate;
  readonly #admission: Admission;
  /** Called once when the database cannot be served by this instance any more. */
  readonly #onDefunct: (error: ByocError) => void;
  #owned: OwnedDatabase;
  #session: Promise<Session>;
  /** Set when the database lost its engine process and nobody has asked for it since; enters another one. */
  #enterAgain: (() => void) | undefined;
  /** Requests that are being executed. */
  #executing = 0;
  #handedCommit: number;
  #lastTimeMs: number;
  #databasePages: number;
  #tailBytes: number;
  #commitParts: Uint8Array[] = [];
  #openStreams = 0;
  #folding: Promise<void> | undefined;
  #defunct: ByocError | undefined;
  #isClosing = false;
  #dropped: Promise<void> | undefined;
  #releaseKeys = (): void => undefined;
  #resolved: Promise<void> | undefined;
  chainDigest: FragmentDigest;

  /** Opens a database; throws what `own` does, and the errors of `restoreTo`. */
  static async open(
    context: NodeContext,
    id: DatabaseId,
    onDefunct: (error: ByocError) => void,
    from: OwningFrom,
  ): Promise<OpenDatabase> {
    const owned = await own(context, id, from);
    let database: OpenDatabase | undefined;
    try {
      const held = heldKeys(owned.owned.manifest);
      database = new OpenDatabase(context, owned, onDefunct);
      database.#session = database.#enter();
      await database.#session;
      database.#watchKeys(held);
      return database;
    } catch (error) {
      owned.unlocked.wipe();
      throw error;
    }
  }

  private constructor(context: NodeContext, owned: OwnedDatabase, onDefunct: (error: ByocError) => void) {
    const { manifest } = owned.owned;
    this.id = manifest.id;
    this.#context = context;
    this.#owned = owned;
    this.#onDefunct = onDefunct;
    this.#admission = new Admission(context.runtime);
    this.#gate = new DurabilityGate(context.runtime, context.lease, 0, context.policy.durabilityTimeoutMs);
    this.#handedCommit = 0;
    this.#lastTimeMs = 0;
    this.#databasePages = 1;
    this.#tailBytes = 0;
    this.chainDigest = Buffer.alloc(0);
    this.#session = Promise.reject(new Error('not entered yet'));
    this.#session.catch(() => undefined);
  }

  get manifest(): Manifest {
    return this.#owned.owned.manifest;
  }

  get term(): number {
    return this.manifest.term;
  }

  get sealer(): Sealer {
    return this.#owned.unlocked.sealer;
  }

  /** Streams with a transaction or stored SQL; the database must stay open for them. */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** True when every commit handed to the log is durable and nothing is being folded. */
  get isQuiet(): boolean {
    return this.#gate.durable >= this.#handedCommit && !this.#folding;
  }

  async execute(request: SqlRequest): Promise<SqlResponse> {
    this.#admission.assert(this.manifest, request.clientKey);
    const { log, policy } = this.#context;
    if (log.pendingBytes > policy.maxLogBacklogBytes && this.#gate.durable < this.#handedCommit) {
      throw new ByocError('OVERLOADED', 'the store is slower than the commits of this node; too many wait for it');
    }
    this.#executing += 1;
    try {
      return await this.#run(request);
    } finally {
      this.#executing -= 1;
    }
  }

  async #run(request: SqlRequest): Promise<SqlResponse> {
    for (let rerun = 0; ; rerun++) {
      this.#enterAgain?.();
      const session = await this.#session.catch((error: unknown) => {
        // Whoever gave the database up meanwhile says why; what it broke here only follows from that.
        throw this.#defunct ?? error;
      });
      const commitBefore = this.#handedCommit;
      const response = runInEngine(session, this.#gate, request);
      try {
        return await response.answer;
      } catch (error) {
        if (this.#defunct && error === this.#defunct)
          throw this.#abandonedRequestError(this.#defunct, request, commitBefore);
        if (!(error instanceof RequestLostError)) throw error;
        const { lost } = error;
        if (this.#defunct && !lost.hasCommitted) throw this.#defunct;
        if (
          lost.isCulprit ||
          lost.hasCommitted ||
          response.hasStarted() ||
          rerun >= maxReruns ||
          request.signal.aborted
        ) {
          throw lostRequestError(lost);
        }
      }
    }
  }

  /** Ends every stream, forgets the keys and removes the local files. Commits that are not durable yet are waited for. */
  async close(): Promise<void> {
    // A fold that began now would outlive the keys, and this instance.
    this.#isClosing = true;
    await this.#folding;
    await this.#dropSession();
    await this.#durable(this.#handedCommit).catch(() => undefined);
    this.#forgetKeys();
  }

  /**
   * Closes the database and gives it up, so that another node can claim it. A node that goes on living folds what is not
   * folded first: once it is not the owner it cannot keep its log from being deleted for the database's sake. A draining
   * one, whose log stays as it is, names it in the manifest instead. Throws the errors of the store; then the database may
   * still be this node's.
   */
  async release({ fold }: { readonly fold: boolean }): Promise<void> {
    this.#isClosing = true;
    await this.#folding;
    await this.#dropSession();
    try {
      await this.#durable(this.#handedCommit);
      if (this.#defunct) throw this.#defunct;
      if (fold) await this.#foldAll();
      await releaseDatabase(this.#context, this.#owned.owned);
    } finally {
      this.#forgetKeys();
    }
  }

  /**
   * Answers everything with `error` from now on: another node has taken over, the node stops at once, or a key must not be
   * used any more.
   */
  abandon(error: ByocError): void {
    if (this.#defunct) return;
    this.#defunct = error;
    this.#enterAgain = undefined;
    this.#gate.fail(error);
    this.#resolved = this.#context.log.dropAndResolve(this);
    this.#forgetKeys();
    this.#onDefunct(error);
    this.#dropSession().catch((cause: unknown) => {
      this.#context.report('local files were not removed', { database: this.id, error: String(cause) });
    });
  }

  /** Makes a branch of everything that was committed before the call, or at a moment. Throws as `branchDatabase` does. */
  async branch(child: NewDatabase, moment?: Moment): Promise<DatabaseDescription> {
    await this.#durable(this.#handedCommit);
    const { branch, parent } = await this.#whileOwned(async () =>
      branchDatabase(this.#context, this.#owned, child, moment),
    );
    this.#adopt(parent);
    return branch;
  }

  /** Collects what the database needs no more. Throws as `collectDatabase` does. */
  async collect(): Promise<void> {
    this.#adopt(await this.#whileOwned(async () => collectDatabase(this.#context, this.#owned.owned)));
  }

  /** Wraps the data keys by another key, while the database goes on. Whether that changed anything. Throws as `rewrapDatabase`. */
  async rewrap(keyId: string): Promise<boolean> {
    const before = this.manifest.keys;
    this.#adopt(await this.#whileOwned(async () => rewrapDatabase(this.#context, this.#owned.owned, keyId)));
    // What is given up by now depends on no key.
    if (this.#defunct || this.#isClosing || this.manifest.keys === before) return this.manifest.keys !== before;
    const release = this.#releaseKeys;
    this.#watchKeys(heldKeys(this.manifest));
    release();
    return true;
  }

  /** Runs `work`, which can be repeated. When the database is given up or closed meanwhile, what breaks only follows from that. */
  async #whileOwned<T>(work: () => Promise<T>): Promise<T> {
    if (this.#defunct) throw this.#defunct;
    return work().catch((error: unknown) => {
      if (this.#defunct) throw this.#defunct;
      if (!this.#isClosing || error instanceof ByocError) throw error;
      throw new ByocError('SHUTTING_DOWN', `database ${this.id} was closed meanwhile`, { cause: error });
    });
  }

  /** After `abandon`: resolves when no commit of this instance can become durable any more. */
  async resolved(): Promise<void> {
    await this.#resolved;
  }

  onDurable(location: FragmentLocation, lastCommit: Commit): void {
    this.#context.unfolded.add(this.id, this.term, location);
    if (this.#defunct) return;
    this.#gate.advance(lastCommit.number);
    this.#foldIfDue();
  }

  /** When a key that the data keys are wrapped by must not be used any more, the database ends. */
  #watchKeys(held: readonly HeldKey[]): void {
    this.#releaseKeys = this.#context.keyWatch.hold(held, (cause) => this.abandon(keyError(this.id, cause)));
  }

  #forgetKeys(): void {
    this.#releaseKeys();
    this.#owned.unlocked.wipe();
  }

  /** Closes the database in its engine process, if it is in one, and removes its local files; once. */
  async #dropSession(): Promise<void> {
    this.#dropped ??= this.#leaveEngine();
    return this.#dropped;
  }

  async #leaveEngine(): Promise<void> {
    const session = await this.#session.catch(() => undefined);
    if (!session) return;
    await session.slot.close(session.opened);
    await session.slot.directory.removeDatabaseDirectory(session.directoryName);
  }

  /** A request that may have committed must not be sent again unseen, whatever ended this instance. */
  #abandonedRequestError(error: ByocError, { readOnly }: SqlRequest, commitBefore: number): ByocError {
    if (readOnly || this.#handedCommit === commitBefore || error.code === 'DATABASE_NOT_FOUND') return error;
    return new ByocError('OUTCOME_UNKNOWN', `the commit may still become durable: ${error.message}`, { cause: error });
  }

  /** Restores the database into an engine process and opens it there; into another one when that process dies meanwhile. */
  async #enter(): Promise<Session> {
    for (let placement = 1; ; placement++) {
      const slot = await this.#context.engines.place(this.id, this.manifest.engine);
      const directoryName = `${this.id}.${this.#context.runtime.randomBytes(4).toString('hex')}`;
      try {
        return await this.#enterSlot(slot, directoryName);
      } catch (error) {
        await slot.directory.removeDatabaseDirectory(directoryName);
        const isLost = !slot.isAlive || (error instanceof ByocError && error.code === 'ENGINE_RESTARTED');
        if (!isLost || placement >= maxPlacements) throw error;
      }
    }
  }

  async #enterSlot(slot: EnginePlace, directoryName: string): Promise<Session> {
    const directory = await slot.directory.createDatabaseDirectory(directoryName);
    const path = `${directory.path}/db`;
    const restored = await restoreTo(this.#context, this.#owned, async () => slot.directory.createDatabaseFile(path));
    if (restored.commit < this.#gate.durable) {
      throw new ByocError('INTERNAL', `restored to commit ${restored.commit}, though ${this.#gate.durable} is durable`);
    }
    await slot.directory.handOver(directory.path);
    this.chainDigest = restored.chainDigest;
    this.#handedCommit = restored.commit;
    this.#lastTimeMs = restored.commitTimeMs;
    this.#databasePages = restored.databasePages;
    this.#tailBytes = restored.tailBytes;
    this.#commitParts = [];
    this.#openStreams = 0;
    this.#gate.advance(restored.commit);
    const stay: Stay = { walBytes: 0, checkpointing: false, lost: undefined, onLost: (reason) => (stay.lost = reason) };
    const opened = await slot.open(
      this.id,
      { engine: this.manifest.engine, path, commit: restored.commit, limits: this.#context.limits },
      {
        onCommit: (commit, databasePages, pages, last) => this.#takeCommit(stay, commit, databasePages, pages, last),
        onStreams: (open) => (this.#openStreams = open),
        onLost: (reason) => stay.onLost(reason),
      },
    );
    if (stay.lost !== undefined) throw new ByocError('ENGINE_RESTARTED', stay.lost);
    const session = { slot, opened, directoryName, stay };
    stay.onLost = (reason) => this.#leave(session, reason);
    stay.checkpoint = async (commit) => slot.checkpoint(opened, commit);
    this.#foldIfDue();
    return session;
  }

  /**
   * The engine process died, or gave the database up: enter another one, at once when somebody waits, else when somebody
   * asks. A process may hold very many databases, and those that nobody uses must not hold up the others.
   */
  #leave(session: Session, reason: string): void {
    if (this.#defunct || this.#isClosing) return;
    this.#context.report('database left its engine process', { database: this.id, reason });
    const enterAgain = async (): Promise<Session> => {
      await this.#durable(this.#handedCommit);
      await session.slot.directory.removeDatabaseDirectory(session.directoryName);
      return this.#enter();
    };
    this.#enterAgain = () => {
      this.#enterAgain = undefined;
      this.#session = enterAgain();
      this.#session.catch((error: unknown) => this.abandon(asByocError(error)));
    };
    if (this.#executing > 0) this.#enterAgain();
  }

  #takeCommit(stay: Stay, commit: number, databasePages: number, pages: Uint8Array, last: boolean): void {
    if (this.#defunct) return;
    this.#commitParts.push(pages);
    stay.walBytes += pages.byteLength;
    if (!last) return;
    if (commit !== this.#handedCommit + 1) {
      this.abandon(new ByocError('INTERNAL', `the engine sent commit ${commit} after ${this.#handedCommit}`));
      return;
    }
    const timeMs = Math.max(this.#context.runtime.nowMs(), this.#lastTimeMs + 1);
    const taken: Commit = { number: commit, timeMs, databasePages, pages: this.#commitParts };
    const defect = commitDefect(taken);
    if (defect !== undefined) {
      this.abandon(new ByocError('INTERNAL', `the engine sent commit ${commit}, but ${defect}`));
      return;
    }
    this.#lastTimeMs = timeMs;
    this.#handedCommit = commit;
    this.#databasePages = databasePages;
    this.#context.log.append(this, taken);
    this.#commitParts = [];
    if (stay.walBytes >= this.#context.policy.localWalBytes && !stay.checkpointing) void this.#checkpoint(stay);
  }

  /** Bounds the engine's local WAL. Durability does not depend on it. */
  async #checkpoint(stay: Stay): Promise<void> {
    stay.checkpointing = true;
    const before = stay.walBytes;
    try {
      if (await stay.checkpoint?.(this.#handedCommit)) stay.walBytes -= before;
    } catch (error) {
      // Most often the engine process has ended, and its WAL with it.
      this.#context.report('local checkpoint failed', { database: this.id, error: String(error) });
    } finally {
      stay.checkpointing = false;
    }
  }

  /** Resolves when `commit` is durable, however long the store takes; rejects when this epoch has ended. */
  async #durable(commit: number): Promise<void> {
    while (this.#gate.durable < commit) {
      try {
        await this.#gate.durableAt(commit);
      } catch (error) {
        if (!(error instanceof ByocError && error.code === 'OUTCOME_UNKNOWN')) throw error;
      }
    }
  }

  /** Folds until nothing that is durable is left unfolded. */
  async #foldAll(): Promise<void> {
    this.#adopt(await foldDatabase(this.#context, this.#owned, this.#nextGeneration()));
  }

  #nextGeneration(): number {
    return this.#context.generationNumbers.next(this.manifest.generation?.number ?? 0);
  }

  #foldIfDue(): void {
    if (
      this.#folding ||
      this.#defunct ||
      this.#isClosing ||
      !isFoldDue(this.#context, this.manifest, this.#databasePages, this.#tailBytes)
    )
      return;
    this.#folding = this.#fold().finally(() => {
      this.#folding = undefined;
    });
  }

  /** Goes on from a newer manifest, and forgets the fragments that its generation holds. */
  #adopt(owned: VersionedManifest): void {
    // One step: whoever restores next must see the new generation and the shorter list together.
    if (owned.manifest.version > this.manifest.version) this.#owned = { ...this.#owned, owned };
    this.#context.unfolded.folded(this.id, this.manifest.generation?.commit ?? 0);
  }

  async #fold(): Promise<void> {
    try {
      const owned = await foldDatabase(this.#context, this.#owned, this.#nextGeneration());
      // The next instance may hold the manifest from before this fold: with it, it needs every fragment.
      if (this.#defunct) return;
      this.#adopt(owned);
      this.#tailBytes = 0;
    } catch (error) {
      // Its keys were wiped when this instance was given up; that was reported.
      if (this.#defunct) return;
      const failure = asByocError(error);
      this.#context.report('fold failed', { database: this.id, code: failure.code, error: failure.message });
      if (failure.code === 'DATABASE_MOVED') this.abandon(failure);
      // The log keeps everything; the next commit makes the fold due again.
      else await this.#context.runtime.sleep(1_000);
    }
  }
}

function asByocError(error: unknown): ByocError {
  return error instanceof ByocError ? error : new ByocError('INTERNAL', 'unexpected failure', { cause: error });
}
