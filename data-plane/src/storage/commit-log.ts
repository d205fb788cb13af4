/**
 * The commit log of one node epoch: group commit across databases.
 *
 * Invariant: a commit is reported durable only after the log object that holds it, and every earlier one, is stored.
 * At each position the first create decides, and only this epoch creates entries, so whoever takes over ends the log by
 * creating a seal at the first missing position: this log's own write of that position then loses, and nothing it wrote
 * beyond is ever reported durable. Several objects are in flight at once; retries carry identical bytes.
 *
 * One object is written per commit window at the most, and fewer where the store is slow beside it: the first commit after
 * a quiet time goes out at once, later ones wait for that time to pass. Without commits nothing is written and no timer runs.
 */
import type { NodeEpoch, DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns, type Work } from '../turns.js';
import { CommitSpacing } from './commit-spacing.js';
import { backoffMs, type RetryPolicy } from './conditional-write.js';
import { commitBytes, type Commit, type FragmentDigest } from './fragment.js';
import { encodeSeal, type IndexedFragment } from './log-object.js';
import { sealLogObject } from './seal-log-object.js';
import { fragmentLocation, type FragmentLocation } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';

/** One open database as the log sees it. */
export interface LoggedDatabase {
  readonly id: DatabaseId;
  readonly term: number;
  readonly sealer: Sealer;
  /** Digest of the last fragment made of this database; the log advances it. */
  chainDigest: FragmentDigest;
  /** Called once per fragment, in commit order, when it is durable. */
  onDurable(location: FragmentLocation, lastCommit: Commit): void;
}

export interface CommitLogOptions {
  readonly runtime: Runtime;
  readonly store: Pick<LogStore, 'create'>;
  readonly epoch: NodeEpoch;
  /** Position of the first object. @default 0 */
  readonly firstPosition?: number;
  /** Least time between two log objects (see `CommitSpacing`); 0 = as soon as the event loop allows. */
  readonly windowMs: number;
  /** An object is written early when it holds this many bytes. */
  readonly maxObjectBytes: number;
  /** At most `mostLogObjectsInFlight`. */
  readonly maxInFlight: number;
  /**
   * Called once, when the log has ended against its will: sealed by someone else, or, with `cause`, because a request to
   * the store failed in a way that trying again does not mend. Nothing is durable after that.
   */
  readonly onFenced: (cause?: unknown) => void;
  /** Called after each stored object, and after what that made durable was reported. */
  readonly onStored?: (object: StoredLogObject) => void;
}

export interface StoredLogObject {
  readonly position: number;
  readonly bytes: number;
  readonly fragments: number;
  readonly commits: number;
  /** How long its first commit waited before it was handed to the store. */
  readonly windowMs: number;
  /** How long the store took. */
  readonly storeMs: number;
}

/**
 * A part of the protocol: no node of any release has more log objects on their way, so an object this far above a missing
 * one proves that the missing one was stored once.
 */
export const mostLogObjectsInFlight = 4;

interface Pending {
  readonly database: LoggedDatabase;
  readonly commits: Commit[];
}

interface InFlight {
  readonly position: number;
  /** When its first commit came. */
  readonly sinceMs: number;
  readonly fragments: readonly { database: LoggedDatabase; location: FragmentLocation; last: Commit }[];
  stored: boolean;
}

const retries: RetryPolicy = { attempts: Infinity, firstDelayMs: 20, maxDelayMs: 1_000 };

export class CommitLog {
  readonly #options: CommitLogOptions;
  readonly #pending = new Map<LoggedDatabase, Pending>();
  readonly #spacing: CommitSpacing;
  #pendingBytes = 0;
  /** When the first of the pending commits came. */
  #pendingSinceMs: number | undefined;
  readonly #inFlight: InFlight[] = [];
  /** An object is being sealed. */
  #isSealing = false;
  #nextPosition: number;
  #acknowledgedPosition: number;
  #lastFlushMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #state: 'open' | 'closing' | 'sealed' | 'fenced' = 'open';
  #onQuiet: (() => void) | undefined;
  #sealing: Promise<number> | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #resolutionWaiters: { readonly database: LoggedDatabase; readonly resolve: () => void }[] = [];

  constructor(options: CommitLogOptions) {
    if (options.maxInFlight > mostLogObjectsInFlight)
      throw new RangeError(`at most ${mostLogObjectsInFlight} in flight`);
    this.#options = options;
    this.#spacing = new CommitSpacing(options.windowMs);
    this.#nextPosition = options.firstPosition ?? 0;
    this.#acknowledgedPosition = this.#nextPosition;
  }

  /** The next position that will be written. */
  get nextPosition(): number {
    return this.#nextPosition;
  }

  /** Every position below is stored, and its commits were reported durable. Never rises again once the log is fenced. */
  get acknowledgedPosition(): number {
    return this.#acknowledgedPosition;
  }

  get isFenced(): boolean {
    return this.#state === 'fenced';
  }

  /** Bytes of commits that are not durable yet and not handed to the store. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Age of the oldest commit that is not durable yet; 0 when every one is. */
  get lagMs(): number {
    const sinceMs = this.#inFlight[0]?.sinceMs ?? this.#pendingSinceMs;
    return sinceMs === undefined ? 0 : this.#options.runtime.monotonicMs() - sinceMs;
  }

  /**
   * Takes the next commit of a database. Commits of one database become durable in the order of these calls; those that
   * come after `seal` or fencing never do.
   */
  append(database: LoggedDatabase, commit: Commit): void {
    if (this.#state !== 'open') return;
    const pending = this.#pending.get(database);
    if (pending) pending.commits.push(commit);
    else this.#pending.set(database, { database, commits: [commit] });
    this.#pendingSinceMs ??= this.#options.runtime.monotonicMs();
    this.#pendingBytes += commitBytes(commit);
    this.#scheduleFlush();
  }

  /**
   * Forgets the commits of a database that are not on their way to the store yet. Resolves when those that are have been
   * stored and reported, or the log was fenced: before that nobody in this epoch may write the database again.
   */
  async dropAndResolve(database: LoggedDatabase): Promise<void> {
    const pending = this.#pending.get(database);
    if (pending) {
      this.#pending.delete(database);
      this.#pendingBytes -= pending.commits.reduce((sum, commit) => sum + commitBytes(commit), 0);
      if (this.#pending.size === 0) this.#pendingSinceMs = undefined;
    }
    if (!this.#isInFlight(database)) return;
    await new Promise<void>((resolve) => this.#resolutionWaiters.push({ database, resolve }));
  }

  /**
   * Writes what is pending, waits until all of it is durable, and seals the log. Returns the position of the seal, which
   * may be another node's. Throws when the log was ended before everything was durable.
   */
  async seal(): Promise<number> {
    this.#sealing ??= this.#seal();
    return this.#sealing;
  }

  async #seal(): Promise<number> {
    if (this.#state === 'open') this.#state = 'closing';
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#flush();
    if (this.#inFlight.length > 0 || this.#pending.size > 0) {
      await new Promise<void>((resolve) => (this.#onQuiet = resolve));
    }
    if (this.#state === 'fenced') throw new Error('the commit log was sealed by another node', this.#failure);
    const position = this.#nextPosition++;
    if (await this.#store(position, encodeSeal(this.#options.epoch))) this.#state = 'sealed';
    if (this.#failure) throw new Error('the commit log could not be sealed', this.#failure);
    return position;
  }

  #scheduleFlush(): void {
    if (this.#isSealing || this.#inFlight.length >= this.#options.maxInFlight) return;
    const { runtime, maxObjectBytes } = this.#options;
    const isFull = this.#pendingBytes >= maxObjectBytes;
    if (this.#cancelTimer && !isFull) return;
    this.#cancelTimer?.();
    const waitMs = isFull ? 0 : this.#lastFlushMs + this.#spacing.spacingMs - runtime.monotonicMs();
    // Even with nothing to wait for, the commits of this turn of the event loop go out together.
    this.#cancelTimer = runtime.schedule(Math.max(0, waitMs), () => {
      this.#cancelTimer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const { runtime, maxInFlight, onStored } = this.#options;
    if (this.#pending.size === 0 || this.#isSealing || this.#state === 'fenced' || this.#inFlight.length >= maxInFlight)
      return;
    const pending = this.#takePending();
    this.#lastFlushMs = runtime.monotonicMs();
    const sinceMs = this.#pendingSinceMs ?? this.#lastFlushMs;
    // What did not fit came later, or nearly so.
    this.#pendingSinceMs = this.#pending.size === 0 ? undefined : sinceMs;
    const { bytes, index, sealing } = sealLogObject(pending);
    // Taken only now: a position that is taken and never written would be a hole.
    const position = this.#nextPosition++;
    const fragments = pending.map(({ database, commits }, at) => ({
      database,
      location: fragmentLocation(position, index[at] as IndexedFragment),
      last: commits.at(-1) as Commit,
    }));
    const entry: InFlight = { position, sinceMs, fragments, stored: false };
    this.#inFlight.push(entry);
    void this.#inTurns(sealing).then(async () => {
      const startedMs = runtime.monotonicMs();
      if (!(await this.#store(position, bytes))) return;
      entry.stored = true;
      const storeMs = runtime.monotonicMs() - startedMs;
      this.#spacing.observe(storeMs);
      this.#reportDurable();
      onStored?.({
        position,
        bytes: bytes.length,
        fragments: fragments.length,
        commits: pending.reduce((sum, { commits }) => sum + commits.length, 0),
        windowMs: startedMs - sinceMs,
        storeMs,
      });
    });
  }

  /** One object at a time: the next one's fragments name the digests of this one's. */
  async #inTurns(sealing: Work<void>): Promise<void> {
    this.#isSealing = true;
    try {
      await new Turns(this.#options.runtime, 'commit').run(sealing);
    } catch (cause) {
      this.#fence({ cause });
    } finally {
      this.#isSealing = false;
    }
    // More than one object holds goes out at once, as far as the store may be asked.
    if (this.#pending.size === 0) return;
    if (this.#state === 'closing') this.#flush();
    else this.#scheduleFlush();
  }

  /**
   * Commits for one object: all that is pending, or as many as fill it; one commit always fits, however large. When it is
   * too much, each database gets its share first, and who got something goes behind the others: a backlog of one
   * database is not waited for by another.
   */
  #takePending(): Pending[] {
    const { maxObjectBytes } = this.#options;
    const isTooMuch = this.#pendingBytes > maxObjectBytes;
    let restBytes = maxObjectBytes;
    const counts = new Map<Pending, number>();
    for (const mostBytes of isTooMuch ? [maxObjectBytes / this.#pending.size, maxObjectBytes] : [Infinity]) {
      for (const pending of this.#pending.values()) {
        let count = counts.get(pending) ?? 0;
        for (let bytes = 0; count < pending.commits.length && restBytes > 0 && bytes < mostBytes; count++) {
          bytes += commitBytes(pending.commits[count] as Commit);
          restBytes -= commitBytes(pending.commits[count] as Commit);
        }
        if (count > 0) counts.set(pending, count);
        if (restBytes <= 0) break;
      }
    }
    this.#pendingBytes -= maxObjectBytes - restBytes;
    return [...counts].map(([pending, count]) => {
      const { database, commits } = pending;
      this.#pending.delete(database);
      if (count < commits.length) this.#pending.set(database, pending);
      return { database, commits: commits.splice(0, count) };
    });
  }

  #reportDurable(): void {
    while (this.#inFlight[0]?.stored && this.#state !== 'fenced') {
      const { position, fragments } = this.#inFlight.shift() as InFlight;
      for (const { database, location, last } of fragments) database.onDurable(location, last);
      // In the same step as the reports: whoever looks sees the fragments listed, or their position not acknowledged.
      this.#acknowledgedPosition = position + 1;
    }
    this.#reportResolved();
    if (this.#pending.size > 0) {
      if (this.#state === 'closing') this.#flush();
      else this.#scheduleFlush();
    } else if (this.#inFlight.length === 0) {
      this.#onQuiet?.();
    }
  }

  #isInFlight(database: LoggedDatabase): boolean {
    return this.#inFlight.some(({ fragments }) => fragments.some((fragment) => fragment.database === database));
  }

  #reportResolved(): void {
    if (this.#resolutionWaiters.length === 0) return;
    const isResolved = ({ database }: { database: LoggedDatabase }): boolean => !this.#isInFlight(database);
    const resolved = this.#resolutionWaiters.filter(isResolved);
    this.#resolutionWaiters = this.#resolutionWaiters.filter((waiter) => !isResolved(waiter));
    for (const { resolve } of resolved) resolve();
  }

  /** Stores one object at its position, however long it takes. Returns false when someone else holds the position. */
  async #store(position: number, bytes: Buffer): Promise<boolean> {
    const { runtime, store, epoch } = this.#options;
    for (let attempt = 1; this.#state !== 'fenced'; attempt++) {
      try {
        if ((await store.create(epoch, position, bytes)) === 'won') return true;
        // Whatever stands there, or stood there and was collected, is not ours: this epoch's log has ended.
        this.#fence();
      } catch (error) {
        if (!(error instanceof OutcomeUnknownError || error instanceof StoreUnavailableError)) {
          this.#fence({ cause: error });
          return false;
        }
        await runtime.sleep(backoffMs(runtime, retries, attempt));
      }
    }
    return false;
  }

  #fence(failure?: { readonly cause: unknown }): void {
    if (this.#state === 'fenced') return;
    this.#state = 'fenced';
    this.#failure = failure;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#pending.clear();
    this.#pendingBytes = 0;
    this.#pendingSinceMs = undefined;
    this.#inFlight.length = 0;
    this.#onQuiet?.();
    this.#reportResolved();
    this.#options.onFenced(failure?.cause);
  }
}
