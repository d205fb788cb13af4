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
import { walFrameBytes, type WalCommit, type WalReader } from './wal-reader.js';

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
   * Sends every commit that the WAL gained. `expected` says that there must be at least one, for the engine that does
   * not tell how many frames it committed. Throws `PoisonedError`
   * when the WAL does not show what the engine must have committed, or shows a commit that is too large to be sent.
   */
  ship(expected: boolean): void {
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
    if (!committed && expected && shipped === 0) throw new PoisonedError('a commit left no valid frames in the WAL');
  }

  /** Bytes the open write transaction has put into the WAL so far (it holds the rest in memory). */
  uncommittedBytes(): number {
    return this.#options.wal.trailingBytes();
  }

  /** Removes what a rolled-back transaction left in the WAL, so that it is not taken for the next one's. */
  discardRemains(): void {
    if (this.#options.wal.trailingBytes() > tolerableRemainsBytes) this.#options.wal.trim();
  }

  /** To be called after a checkpoint truncated the WAL. */
  checkpointed(): void {
    this.#options.wal.restart();
  }

  close(): void {
    this.#options.wal.close();
    this.#options.walIndex?.close();
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
