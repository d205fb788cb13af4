/**
 * An open database of this node: the state that joins an engine process, the commit log and the gate. What changes its
 * manifest meanwhile is in `manifest-changes.ts`.
 *
 * Invariants. Commits enter the log in the order the engine made them and under the number it gave them. An answer
 * leaves through the gate. When the engine process dies, the database is restored from the store at the last commit that
 * was handed to the log, and only after every log object that holds one of its commits is resolved: a commit that may
 * still become durable must be part of what the next engine process sees, or history would fork.
 */
import type { EnginePlace } from '../engine/pool/engines.js';
import { asByocError, ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { Sealer } from '../keys/sealing.js';
import type { UsageCounts } from '../metering/usage-batch.js';
import { systemOrganization } from '../naming/host-label.js';
import type { LoggedDatabase } from '../storage/commit-log.js';
import type { Commit, FragmentDigest } from '../storage/fragment.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { Manifest } from '../storage/manifest.js';
import type { Moment } from '../storage/moment.js';
import { explainRequest, rootsInAnswer } from '../sync/query-roots.js';
import { Admission } from './client-key-admission.js';
import { CommitIntake } from './commit-intake.js';
import { DatabasePulls } from './database-pulls.js';
import type { DatabaseDescription, DatabaseRequest, NewDatabase, SqlRequest, SqlResponse } from './database-service.js';
import type { FileAnswer, FileRequest } from './file-request.js';
import { Replicas } from './replicas.js';
import { heldKeys } from './database-keys.js';
import { DurabilityGate } from './durability-gate.js';
import { EngineStay, type Session } from './engine-stay.js';
import { failureToTell, runInEngine } from './engine-request.js';
import { ManifestChanges } from './manifest-changes.js';
import type { NodeContext } from './node-context.js';
import { own, releaseDatabase, restoreTo, type OwnedDatabase, type OwningFrom } from './ready-database.js';

/** How many engine processes may die while a database is being opened in them. */
const maxPlacements = 3;

/** A request that lost its engine process is run again this often, if nothing of it can have taken effect. */
const maxReruns = 2;

export class OpenDatabase implements LoggedDatabase {
  readonly id: DatabaseId;
  readonly #context: NodeContext;
  readonly #gate: DurabilityGate;
  readonly #admission: Admission;
  readonly #pulls: DatabasePulls;
  readonly #replicas: Replicas;
  /** Called once when the database cannot be served by this instance any more. */
  readonly #onDefunct: (error: ByocError) => void;
  readonly #changes: ManifestChanges;
  #session: Promise<Session>;
  /** Set when the database lost its engine process and nobody has asked for it since; enters another one. */
  #enterAgain: (() => void) | undefined;
  /** Requests that are being executed. */
  #executing = 0;
  readonly #intake: CommitIntake;
  /** Reads of data and log store that it took to restore the database, each time. */
  storeReads = 0;
  #openStreams = 0;
  #defunct: ByocError | undefined;
  #dropped: Promise<void> | undefined;
  /** Given up because a key must not be used any more. */
  #lostKey = false;
  /** Nothing about the database is to be known here any more. */
  #isLeft = false;
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
      const { awaitedFile, name } = owned.owned.manifest;
      if (awaitedFile)
        throw new ByocError('DATABASE_AWAITS_FILE', `database ${name} awaits the file that it begins as`);
      const held = heldKeys(owned.owned.manifest);
      database = new OpenDatabase(context, owned, onDefunct);
      database.#session = database.#enter();
      await database.#session;
      database.#changes.watchKeys(held);
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
    this.#onDefunct = onDefunct;
    this.#changes = new ManifestChanges(context, owned, {
      defunct: () => this.#defunct,
      durable: async () => this.#durable(this.#intake.handed),
      abandon: (error) => this.abandon(error),
      loseKey: (error) => {
        this.#lostKey = true;
        this.abandon(error);
      },
    });
    this.#admission = new Admission(context.runtime);
    this.#replicas = new Replicas(context, {
      owned: () => this.#changes.owned,
      mayLeave: async () => {
        await this.#gate.wait(this.#gate.durable);
      },
      execute: async (request) => this.execute(request),
      onSynced: (bytesSynced) => this.#count({ bytesSynced }),
    });
    this.#gate = new DurabilityGate(context.runtime, context.lease, 0, context.policy.durabilityTimeoutMs);
    this.#pulls = new DatabasePulls(context, {
      owned: () => this.#changes.owned,
      gate: this.#gate,
      defunct: () => this.#defunct,
      rootsOf: async (query, request) => this.#rootsOf(query, request),
      onSynced: (bytesSynced) => this.#count({ bytesSynced }),
    });
    this.#intake = new CommitIntake(context.runtime);
    this.chainDigest = Buffer.alloc(0);
    this.#session = Promise.reject(new Error('not entered yet'));
    this.#session.catch(() => undefined);
  }

  get manifest(): Manifest {
    return this.#changes.manifest;
  }

  get term(): number {
    return this.manifest.term;
  }

  get sealer(): Sealer {
    return this.#changes.sealer;
  }

  /** Streams with a transaction or stored SQL; the database must stay open for them. */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** True when every commit handed to the log is durable and nothing is being folded. */
  get isQuiet(): boolean {
    return this.#gate.durable >= this.#intake.handed && !this.#changes.isFolding;
  }

  /** The pulls of the database, for a request that brings its client's key where there is one. Throws as `Admission`. */
  pulls(clientKey: PresentedKey | undefined): DatabasePulls {
    this.#admission.assert(this.manifest, clientKey);
    return this.#pulls;
  }

  /** Whoever waits for a change is told that there is none: the database is leaving this node. */
  endWaits(): void {
    this.#pulls.endWaits();
  }

  async execute(request: SqlRequest): Promise<SqlResponse> {
    this.#admission.assert(this.manifest, request.clientKey);
    const { log, policy } = this.#context;
    if (log.pendingBytes > policy.maxLogBacklogBytes && this.#gate.durable < this.#intake.handed) {
      throw new ByocError('OVERLOADED', 'the store is slower than the commits of this node; too many wait for it');
    }
    this.#executing += 1;
    try {
      return await this.#run(request);
    } finally {
      this.#executing -= 1;
    }
  }

  /** Answers a replica, or whoever exports the database. Throws what `Replicas` throws, and what `execute` throws. */
  async serveFile(request: FileRequest): Promise<FileAnswer> {
    this.#admission.assert(this.manifest, request.clientKey);
    if (this.#defunct) throw this.#defunct;
    return this.#replicas.serve(request).catch((error: unknown) => {
      // Whoever gave the database up meanwhile says why; what it broke here only follows from that.
      throw this.#defunct ?? error;
    });
  }

  async #run(request: SqlRequest): Promise<SqlResponse> {
    for (let rerun = 0; ; rerun++) {
      const session = await this.#currentSession();
      const commitBefore = this.#intake.handed;
      const response = runInEngine(session, this.#gate, request);
      try {
        return await response.answer;
      } catch (error) {
        const failure = failureToTell(error as Error, {
          request,
          defunct: this.#defunct,
          hasSeenCommits: this.#intake.handed !== commitBefore,
          hasStarted: response.hasStarted(),
          isLastRun: rerun >= maxReruns,
        });
        if (failure !== undefined) throw failure;
      }
    }
  }

  /** Root pages of the b-trees that a query opens in the present state. Throws `MALFORMED_REQUEST`. */
  async #rootsOf(query: string, request: DatabaseRequest): Promise<number[]> {
    const explain = { ...request, kind: 'v3-pipeline', readOnly: true, body: explainRequest(query) } as const;
    const { body } = await this.#run(explain);
    return rootsInAnswer(body as Buffer);
  }

  async #currentSession(): Promise<Session> {
    for (;;) {
      this.#enterAgain?.();
      const session = await this.#session.catch((error: unknown) => {
        // Whoever gave the database up meanwhile says why; what it broke here only follows from that.
        throw this.#defunct ?? error;
      });
      // A stream goes on where it is.
      if (!session.stay.retiring || this.#openStreams > 0) return session;
      await session.stay.over;
    }
  }

  /** Ends every stream, forgets the keys and removes the local files. Commits that are not durable yet are waited for. */
  async close(): Promise<void> {
    this.endWaits();
    // What only its client can unseal is not told while it is closed.
    if (this.manifest.encryption.mode === 'client') this.#forgetStatements();
    await this.#changes.end();
    await this.#dropSession();
    await this.#durable(this.#intake.handed).catch(() => undefined);
    this.#changes.forgetKeys();
  }

  /**
   * Closes the database and gives it up, so that another node can claim it. A node that goes on living folds what is not
   * folded first: once it is not the owner it cannot keep its log from being deleted for the database's sake. A draining
   * one, whose log stays as it is, names it in the manifest instead. Throws the errors of the store; then the database may
   * still be this node's.
   */
  async release({ fold }: { readonly fold: boolean }): Promise<void> {
    this.endWaits();
    this.#forgetStatements();
    await this.#changes.end();
    await this.#dropSession();
    try {
      await this.#durable(this.#intake.handed);
      if (this.#defunct) throw this.#defunct;
      if (fold) await this.#changes.foldAll();
      await releaseDatabase(this.#context, this.#changes.owned.owned);
    } finally {
      this.#changes.forgetKeys();
    }
  }

  /**
   * Answers everything with `error` from now on: another node has taken over, the node stops at once, or a key must not be
   * used any more.
   */
  abandon(error: ByocError): void {
    if (this.#defunct) return;
    this.#defunct = error;
    this.#forgetStatements();
    this.#enterAgain = undefined;
    this.#gate.fail(error);
    this.endWaits();
    this.#resolved = this.#context.log.dropAndResolve(this);
    this.#replicas.close();
    this.#changes.forgetKeys();
    this.#onDefunct(error);
    this.#dropSession().catch((cause: unknown) => {
      this.#context.report('local files were not removed', { database: this.id, error: String(cause) });
    });
  }

  #forgetStatements(): void {
    this.#isLeft = true;
    this.#context.statements.forget(this.id);
  }

  /** Makes a branch of everything that was committed before the call, or at a moment. Throws as `branchDatabase` does. */
  async branch(child: NewDatabase, moment?: Moment): Promise<DatabaseDescription> {
    await this.#durable(this.#intake.handed);
    return this.#changes.branch(child, moment);
  }

  /** What changes its manifest while it is open. */
  get changes(): Pick<ManifestChanges, 'changeHold' | 'changeWrapping' | 'collect' | 'rekey' | 'rewrap'> {
    return this.#changes;
  }

  /** After `abandon`: resolves when no commit of this instance can become durable any more. */
  async resolved(): Promise<void> {
    await this.#resolved;
  }

  onDurable(location: FragmentLocation, lastCommit: Commit): void {
    this.#context.unfolded.add(this.id, this.term, location);
    if (this.#defunct) return;
    this.#gate.advance(lastCommit.number, location[0]);
    this.#pulls.advance(lastCommit.number);
    this.#changes.foldIfDue();
  }

  /** Closes the database in its engine process, if it is in one, and removes its local files; once. */
  async #dropSession(): Promise<void> {
    this.#dropped ??= this.#leaveEngine();
    return this.#dropped;
  }

  async #leaveEngine(): Promise<void> {
    this.#replicas.close();
    const session = await this.#session.catch(() => undefined);
    if (!session) return;
    session.stay.end();
    await session.slot.close(session.opened);
    await session.slot.directory.removeDatabaseDirectory(session.directoryName);
    // The memory of the process may still hold what nobody may read any more.
    if (this.#lostKey) this.#context.engines.recycle(session.slot);
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
    const restored = await restoreTo(
      this.#context,
      this.#changes.owned,
      async () => slot.directory.createDatabaseFile(path),
      () => (this.storeReads += 1),
    );
    if (restored.commit < this.#gate.durable) {
      throw new ByocError('INTERNAL', `restored to commit ${restored.commit}, though ${this.#gate.durable} is durable`);
    }
    await slot.directory.handOver(directory.path);
    this.chainDigest = restored.chainDigest;
    this.#intake.restart(restored);
    this.#changes.restored(restored);
    this.#openStreams = 0;
    this.#gate.advance(restored.commit);
    const stay = new EngineStay();
    const opened = await slot.open(
      this.id,
      { engine: this.manifest.engine, path, commit: restored.commit, limits: this.#context.limits },
      {
        onCommit: (commit, databasePages, pages, last) => this.#takeCommit(stay, commit, databasePages, pages, last),
        onStreams: (open) => (this.#openStreams = open),
        onUsage: ({ rowsRead, rowsWritten, queries, shapes }) => {
          this.#count({ rowsRead, rowsWritten, queries });
          if (!this.#isLeft) this.#context.statements.add(this.id, shapes);
        },
        onLost: (reason) => stay.onLost(reason),
        onRetiring: (isFree) => stay.onRetiring(isFree),
      },
    );
    if (stay.lost !== undefined) throw new ByocError('ENGINE_RESTARTED', stay.lost);
    const session = { slot, opened, directoryName, stay };
    stay.onLost = (reason) => this.#leave(session, reason);
    stay.onRetiring = (isFree) => this.#retire(session, isFree);
    if (stay.retiring) this.#retire(session, true);
    stay.checkpoint = async (commit) => slot.checkpoint(opened, commit);
    this.#changes.foldIfDue();
    return session;
  }

  /** What the deployment does for itself is nobody's usage; counting it would keep an idle deployment busy. */
  #count(counts: Partial<UsageCounts>): void {
    if (this.manifest.organization === systemOrganization) return;
    const { usage } = this.#context;
    usage.count(this.id, counts);
    usage.sized(this.id, { commit: this.#intake.handed, pages: this.#changes.databasePages });
  }

  /** The engine process is to end: leave it when no request and no stream is under way. */
  #retire(session: Session, isFree: boolean): void {
    session.stay.retiring = true;
    if (!isFree || this.#openStreams > 0 || this.#defunct || this.#changes.isEnding) return;
    const closed = session.slot.close(session.opened);
    this.#leave(session, 'the engine process is to end', closed);
  }

  /**
   * The engine process died, or gave the database up: enter another one, at once when somebody waits, else when somebody
   * asks. A process may hold very many databases, and those that nobody uses must not hold up the others.
   */
  #leave(session: Session, reason: string, closed = Promise.resolve()): void {
    if (this.#defunct || this.#changes.isEnding) return;
    this.#context.report('database left its engine process', { database: this.id, reason });
    const enterAgain = async (): Promise<Session> => {
      await closed;
      await this.#durable(this.#intake.handed);
      await session.slot.directory.removeDatabaseDirectory(session.directoryName);
      return this.#enter();
    };
    this.#enterAgain = () => {
      this.#enterAgain = undefined;
      this.#session = enterAgain();
      this.#session.catch((error: unknown) => this.abandon(asByocError(error)));
    };
    session.stay.end();
    if (this.#executing > 0) this.#enterAgain();
  }

  #takeCommit(stay: EngineStay, number: number, databasePages: number, pages: Uint8Array, last: boolean): void {
    if (this.#defunct) return;
    stay.grown(pages.byteLength);
    let commit: Commit | undefined;
    try {
      commit = this.#intake.take(number, databasePages, pages, last);
    } catch (error) {
      this.abandon(asByocError(error));
    }
    if (!commit) return;
    this.#changes.databasePages = databasePages;
    this.#context.log.append(this, commit);
    stay.checkpointIfDue(number, this.#context.policy.localWalBytes).catch((error: unknown) => {
      this.#context.report('local checkpoint failed', { database: this.id, error: String(error) });
    });
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
}
