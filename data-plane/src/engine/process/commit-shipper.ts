/**
 * Turns what the engine appended to the WAL into `commit` messages.
 *
 * Invariant: whenever a response is sent, every commit that a statement of it could see was sent before. It holds
 * because commits are shipped right after each statement that may have ended a write transaction, on the same thread,
 * before anything else can read.
 */
import { ByocError } from '../../errors/catalogue.js';
import { maxCommitPartBytes, pageRecordBytes } from '../ipc/messages.js';
import type { Outbox } from './outbox.js';
import { PoisonedError } from './poisoned.js';
import type { WalIndex } from './wal-index.js';
import { walFrameBytes, walHeaderBytes, type AppendedFrame, type WalCommit, type WalReader } from './wal-reader.js';

/** `unclear`: rolled back, or committed after a part of it was undone, so that nothing may be left of it. */
export type EndOfTransaction = 'committed' | 'unclear';

/** Remains of rolled-back transactions up to this size stay; the next transaction overwrites them. */
export const tolerableRemainsBytes = 1024 * 1024;

export interface CommitShipperOptions {
  readonly database: number;
  /** Number of the last commit contained in the database file. */
  readonly commit: number;
  readonly maxTransactionBytes: number;
  readonly wal: WalReader;
  /** Where the engine notes its committed frames; undefined for an engine that keeps that to itself. */
  readonly walIndex: WalIndex | undefined;
  readonly outbox: Outbox;
}

export class CommitShipper {
  readonly #options: CommitShipperOptions;
  #commit: number;
  /** Size of the WAL when no transaction was writing. */
  #quietBytes = walHeaderBytes;

  constructor(options: CommitShipperOptions) {
    this.#options = options;
    this.#commit = options.commit;
  }

  /** Number of the last commit that was sent. */
  get commit(): number {
    return this.#commit;
  }

  /** Committed frames in the WAL. */
  get frames(): number {
    return this.#options.wal.frames;
  }

  /**
   * Sends every commit that the WAL gained. `ended` says how a write transaction ended just now, if one did. Throws
   * `PoisonedError` when the WAL does not show what the engine must have committed, or shows a commit that is too large
   * to be sent.
   */
  ship(ended?: EndOfTransaction): void {
    const { wal, walIndex, maxTransactionBytes } = this.#options;
    const committed = walIndex?.read();
    if (committed && wal.isAt(committed)) return;
    let shipped = 0;
    for (;;) {
      const commit = wal.nextCommit();
      if (!commit) break;
      if (commit.frameCount * walFrameBytes > maxTransactionBytes) {
        const message = `one transaction may write ${maxTransactionBytes} bytes, this one wrote ${commit.frameCount * walFrameBytes}`;
        throw new PoisonedError(message, new ByocError('TRANSACTION_TOO_LARGE', message));
      }
      this.#send(commit);
      shipped++;
      if (committed && wal.frames >= committed.committedFrames) break;
    }
    if (committed && !wal.isAt(committed)) {
      throw new PoisonedError(
        `the WAL has ${committed.committedFrames} committed frames, ${wal.frames} of them pass their checks`,
      );
    }
    if (!committed && ended) this.#checkGrowth(ended, shipped);
  }

  /** Bytes the open write transaction has put into the WAL so far (it holds the rest in memory). */
  uncommittedBytes(): number {
    return this.#options.wal.trailingBytes();
  }

  /** Removes what a rolled-back transaction left in the WAL, so that it is not taken for the next one's. */
  discardRemains(): void {
    if (this.#options.wal.trailingBytes() > tolerableRemainsBytes) this.#options.wal.trim();
  }

  /**
   * Appends transactions to the WAL that another database wrote, and sends them when `check`, which sees the database with
   * them, does not throw; then nothing of them is left. Every commit before must have been sent.
   */
  append(frames: readonly AppendedFrame[], check: () => void): void {
    const { wal, walIndex, maxTransactionBytes } = this.#options;
    if (!walIndex) throw new Error('this engine would not see what is appended to its WAL');
    if (frames.length * walFrameBytes > maxTransactionBytes) {
      const message = `a push may bring ${maxTransactionBytes} bytes, this one brings ${frames.length * walFrameBytes}`;
      throw new ByocError('TRANSACTION_TOO_LARGE', message);
    }
    walIndex.read();
    wal.append(frames);
    walIndex.invalidate();
    try {
      check();
    } catch (error) {
      wal.trim();
      walIndex.invalidate();
      throw error;
    }
    this.ship('committed');
  }

  /** To be called after a checkpoint truncated the WAL. */
  checkpointed(): void {
    this.#options.wal.restart();
    this.#quietBytes = walHeaderBytes;
  }

  close(): void {
    this.#options.wal.close();
    this.#options.walIndex?.close();
  }

  /**
   * An engine that does not tell what it committed is checked by the size of the WAL: it grows for a reason. The header alone
   * is none: a transaction that begins to write may leave it and nothing else.
   */
  #checkGrowth(ended: EndOfTransaction, shipped: number): void {
    const sizeBytes = this.#options.wal.sizeBytes();
    if (ended === 'committed' && shipped === 0 && sizeBytes > this.#quietBytes) {
      throw new PoisonedError('the WAL grew by frames that do not pass their checks');
    }
    this.#quietBytes = Math.max(sizeBytes, walHeaderBytes);
  }

  #send(commit: WalCommit): void {
    const { database, wal, outbox } = this.#options;
    this.#commit++;
    const numbers = [...commit.pages.keys()].sort((a, b) => a - b);
    const pagesPerPart = Math.floor(maxCommitPartBytes / pageRecordBytes);
    for (let start = 0; start < numbers.length; start += pagesPerPart) {
      const part = numbers.slice(start, start + pagesPerPart);
      const pages = Buffer.allocUnsafe(part.length * pageRecordBytes);
      let offset = 0;
      for (const page of part) {
        pages.writeUInt32LE(page, offset);
        wal.copyPage(commit.pages.get(page) ?? -1, pages, offset + 4);
        offset += pageRecordBytes;
      }
      const last = start + pagesPerPart >= numbers.length;
      outbox.send({
        type: 'commit',
        database,
        commit: this.#commit,
        databasePages: commit.databasePages,
        pages,
        last,
      });
    }
  }
}
