/**
 * One open database in an engine process: its connections, its write lock, the number of its last commit. Sessions run
 * the statements; requests and streams are above.
 */
import { ByocError, isByocError } from '../../errors/catalogue.js';
import { EngineError, type EngineAdapter } from '../adapters/adapter.js';
import type { FlightRecorder } from '../ipc/flight-recorder.js';
import type { DatabaseLimits } from '../ipc/messages.js';
import type { Runtime } from '../../runtime.js';
import { CommitShipper, tolerableRemainsBytes, type EndOfTransaction } from './commit-shipper.js';
import { Connection } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import type { Outbox } from './outbox.js';
import { PoisonedError } from './poisoned.js';
import type { StatementGate } from './statement-gate.js';
import { UsageReport } from './usage-report.js';
import { WalIndex } from './wal-index.js';
import { WalReader, type AppendedFrame, type WalScratch } from './wal-reader.js';
import { WriteLock } from './write-lock.js';

/**
 * The Turso engine checkpoints by itself at 1,000 frames and, with synchronous off, then copies every page again at
 * each commit. The host is always earlier.
 */
const checkpointFrames = 800;
/** When a reader was in the way, the next attempt comes after this many more frames. */
const checkpointRetryFrames = 100;

export interface DatabaseHostOptions {
  readonly database: number;
  readonly path: string;
  readonly commit: number;
  readonly limits: DatabaseLimits;
  readonly adapter: EngineAdapter;
  readonly newGate: () => StatementGate;
  readonly runtime: Runtime;
  readonly recorder: Pick<FlightRecorder, 'begin' | 'idle'>;
  readonly outbox: Outbox;
  readonly walScratch: WalScratch;
  readonly connectionClosed: () => void;
  /** Called once, when the local copy can no longer be trusted. */
  readonly onPoisoned: (reason: string) => void;
}

export class DatabaseHost {
  readonly database: number;
  /** Of its file. */
  readonly path: string;
  readonly limits: DatabaseLimits;
  readonly runtime: Runtime;
  readonly recorder: Pick<FlightRecorder, 'begin' | 'idle'>;
  readonly writeLock = new WriteLock();
  readonly pool: ConnectionPool;
  readonly usage: UsageReport;
  /** Splits texts and judges statements of every connection that sees the committed schema. */
  readonly gate: StatementGate;
  readonly newGate: () => StatementGate;
  readonly #adapter: EngineAdapter;
  readonly #outbox: Outbox;
  readonly #shipper: CommitShipper;
  readonly #onPoisoned: (reason: string) => void;
  #schemaVersion = 1;
  #nextCheckpointFrames = checkpointFrames;
  #checkpoints = 0;
  #openStreams = 0;
  #ended = false;

  /** Opens the database. Throws `EngineError`. */
  constructor(options: DatabaseHostOptions) {
    this.database = options.database;
    this.path = options.path;
    this.limits = options.limits;
    this.runtime = options.runtime;
    this.recorder = options.recorder;
    this.newGate = options.newGate;
    this.gate = options.newGate();
    this.#adapter = options.adapter;
    this.#outbox = options.outbox;
    this.#onPoisoned = options.onPoisoned;
    this.usage = new UsageReport(options.database, options.outbox, options.runtime);
    this.pool = new ConnectionPool({
      runtime: options.runtime,
      open: () => new Connection(options.adapter.open(options.path, { maxPages: options.limits.maxPages }), this.gate),
      closed: options.connectionClosed,
    });
    this.#shipper = new CommitShipper({
      database: options.database,
      commit: options.commit,
      maxTransactionBytes: options.limits.maxTransactionBytes,
      wal: new WalReader(options.path, options.walScratch),
      walIndex: options.adapter.name === 'libsql' ? new WalIndex(options.path) : undefined,
      outbox: options.outbox,
    });
  }

  get engine(): EngineAdapter['name'] {
    return this.#adapter.name;
  }

  /** Number of the last commit; every response says with it what it may depend on. */
  get commit(): number {
    return this.#shipper.commit;
  }

  /**
   * How often the WAL was begun anew. A transaction that reads the file alone does not keep it from that, and can write no more
   * afterwards, though nothing was committed.
   */
  get checkpoints(): number {
    return this.#checkpoints;
  }

  /** Changes whenever the committed schema does. */
  get schemaVersion(): number {
    return this.#schemaVersion;
  }

  /** True when nothing may be run any more: the database was closed or its local copy is no longer trusted. */
  get ended(): boolean {
    return this.#ended;
  }

  throwIfEnded(): void {
    if (this.#ended) throw new PoisonedError('the database is closed');
  }

  schemaChanged(): void {
    this.#schemaVersion++;
    this.gate.invalidate();
  }

  /**
   * Sends the commits that the WAL gained; `ended` says how a write transaction ended just now, if one did.
   * `connection` is outside any transaction and can be used for a checkpoint. Throws `PoisonedError`.
   */
  shipCommits(ended?: EndOfTransaction, connection?: Connection): void {
    if (this.#ended) return;
    this.#wal(() => this.#shipper.ship(ended));
    if (this.#adapter.name === 'tursodb' && this.#shipper.frames >= this.#nextCheckpointFrames) {
      this.#checkpoint(connection);
    }
  }

  /**
   * Makes commits of transactions that another copy of the database wrote; see `CommitShipper.append`. Only for whoever holds
   * the write lock. Throws what `check` throws, `TRANSACTION_TOO_LARGE`, `PoisonedError`.
   */
  appendFrames(frames: readonly AppendedFrame[], check: () => void): void {
    this.throwIfEnded();
    this.shipCommits();
    const refused = this.#wal(() => {
      try {
        this.#shipper.append(frames, check);
      } catch (error) {
        if (isByocError(error)) return error;
        throw error;
      }
      return undefined;
    });
    this.schemaChanged();
    if (refused) throw refused;
  }

  /** Bytes the open write transaction has put into the WAL so far. */
  uncommittedBytes(): number {
    return this.#wal(() => this.#shipper.uncommittedBytes());
  }

  /** To be called after a write transaction of `connection` was rolled back. Throws `PoisonedError`. */
  discardRemains(connection: Connection): void {
    if (this.#ended) return;
    if (this.#adapter.name === 'libsql') this.#wal(() => this.#shipper.discardRemains());
    else if (this.uncommittedBytes() > tolerableRemainsBytes) this.#checkpoint(connection);
  }

  /** Folds the WAL into the file if `commit` is the last one and nothing is in the way; tells whether it did. */
  checkpoint(commit: number): boolean {
    this.shipCommits();
    return commit === this.commit && !this.writeLock.isHeld && this.#checkpoint();
  }

  /**
   * To be called with every error of the engine. Throws `PoisonedError` when it shows that the local copy must be
   * thrown away; otherwise the error is the statement's own.
   */
  poisonIfNeeded(error: unknown): void {
    if (error instanceof PoisonedError) {
      this.#poison(error.message);
      throw error;
    }
    if (error instanceof EngineError && error.poisonsDatabase) {
      this.#poison(`${error.code}: ${error.message}`);
      throw new PoisonedError(error.message, error.code === 'SQLITE_FULL' ? localDiskFull() : undefined);
    }
  }

  /** Tells the I/O process when the number of kept streams changes from or to zero. */
  reportStreams(open: number): void {
    const changed = (open === 0) !== (this.#openStreams === 0);
    this.#openStreams = open;
    if (changed && !this.#ended) this.#outbox.send({ type: 'streams', database: this.database, open });
  }

  /** Nothing is run and nothing is sent any more. */
  end(): void {
    this.#ended = true;
  }

  /** Closes every connection, after `end`; open transactions are lost. The last words about the database are what it did. */
  close(): void {
    this.usage.report();
    try {
      this.pool.closeAll();
    } finally {
      this.#shipper.close();
    }
  }

  /** Runs an operation on the WAL file; whatever goes wrong there means that commits may have been missed. */
  #wal<Result>(operation: () => Result): Result {
    try {
      return operation();
    } catch (error) {
      const poisoned = error instanceof PoisonedError ? error : new PoisonedError(`reading the WAL: ${String(error)}`);
      this.#poison(poisoned.message);
      throw poisoned;
    }
  }

  #checkpoint(connection = this.pool.anyFree): boolean {
    if (!connection) return false;
    // A checkpoint is nobody's statement: however long it takes, no statement deadline applies.
    this.recorder.idle();
    let done = false;
    try {
      done = this.#adapter.checkpoint(connection.engine);
    } catch (error) {
      this.poisonIfNeeded(error);
      if (!(error instanceof EngineError)) throw error;
    }
    if (done) {
      this.#shipper.checkpointed();
      this.#checkpoints += 1;
    }
    this.#nextCheckpointFrames = done ? checkpointFrames : this.#shipper.frames + checkpointRetryFrames;
    return done;
  }

  #poison(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onPoisoned(reason);
  }
}

/** Running the request again would fail again; what it committed before stays. */
function localDiskFull(): ByocError {
  return new ByocError('LOCAL_DISK_FULL', 'the cache volume is full; the statement did not take effect');
}
