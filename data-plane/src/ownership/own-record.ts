/**
 * The node's own record, renewed at every beat, and the lease that hangs on it.
 *
 * Invariant: `holds()` is true only while the last renewal that is known to have taken effect was sent less than
 * `leaseMs - marginMs` ago, by the clock that says more. A renewal whose first sending may have counted is timed from that
 * one. Whoever wants to end this epoch must see the record unchanged for `leaseMs` first, from an answer that came after
 * that sending; so while the lease holds nobody has ended the epoch, and no database of it has another owner.
 *
 * The record is changed only here and by whoever condemns it. A renewal that loses means: condemned, for ever.
 */
import type { NodeEpoch } from '../identity.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import type { FormatLevel } from '../storage/format-level.js';
import { nodeRecordName } from '../storage/object-names.js';
import { elapsedMs, readClocks, type ClockReading } from './clock-reading.js';
import type { LeaseTiming } from './lease-timing.js';
import {
  changedNodeRecord,
  encodeNodeRecord,
  type NodeRecord,
  type NodeRecordChange,
  type VersionedNodeRecord,
} from './node-record.js';
import { withTimeLimit } from './time-limit.js';
import { Waiters } from './waiters.js';

/** What the gate asks before an answer leaves. */
export interface Lease {
  /** Whether this node may serve at this moment. */
  holds(): boolean;
  /**
   * Resolves with true at the next moment at which the lease holds, with false when there was none for `ms`; rejects with
   * `LeaseLostError` when it never will again.
   */
  held(ms: number): Promise<boolean>;
}

/** The epoch was condemned, or its record cannot be renewed any more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

export interface OwnRecordOptions {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly timing: LeaseTiming;
  readonly created: VersionedNodeRecord;
  /** What may be written. @default the oldest version */
  readonly formats?: FormatLevel;
  /** From before the record was sent. */
  readonly createdAt: ClockReading;
  /** Called once, when the epoch was condemned; `cause` when the store refused in a way that trying again does not mend. */
  readonly onLost: (cause?: unknown) => void;
  /** Told how each attempt to renew ended. */
  readonly onAttempt?: (outcome: Attempt['outcome']) => void;
}

interface PendingChange {
  readonly change: NodeRecordChange;
  readonly resolve: (record: NodeRecord) => void;
  readonly reject: (error: Error) => void;
}

type Attempt = { readonly outcome: 'won'; readonly etag: ETag } | { readonly outcome: 'lost' | 'unknown' | 'refused' };

const firstRetryMs = 20;

export class OwnRecord implements Lease {
  readonly #options: OwnRecordOptions;
  readonly #waiters: Waiters;
  #current: VersionedNodeRecord;
  #renewedAt: ClockReading;
  #state: 'waiting' | 'beating' | 'stopped' | 'lost' = 'waiting';
  #pending: PendingChange[] = [];
  #isUrgent = false;
  #wake: (() => void) | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: OwnRecordOptions) {
    this.#options = options;
    this.#waiters = new Waiters(options.runtime);
    this.#current = options.created;
    this.#renewedAt = options.createdAt;
  }

  get epoch(): NodeEpoch {
    return this.#current.record.epoch;
  }

  /** The record as it is known to be stored. */
  get current(): NodeRecord {
    return this.#current.record;
  }

  /** Begins to beat. */
  start(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'beating';
    this.#ended = this.#beat();
  }

  /** Ends the beats; resolves when none is under way. Changes that wait are refused. */
  async stop(): Promise<void> {
    if (this.#state === 'waiting' || this.#state === 'beating') {
      this.#state = 'stopped';
      this.#refuse(new LeaseLostError('this node has stopped'));
    }
    this.#wake?.();
    await this.#ended;
  }

  holds(): boolean {
    const { runtime, timing } = this.#options;
    if (this.#state === 'lost' || this.#state === 'stopped') return false;
    return elapsedMs(runtime, this.#renewedAt) < timing.leaseMs - timing.marginMs;
  }

  /** How many wait for the lease. */
  get waiting(): number {
    return this.#waiters.size;
  }

  async held(ms: number): Promise<boolean> {
    const { runtime } = this.#options;
    const untilMs = runtime.monotonicMs() + ms;
    while (!this.holds()) {
      this.#assertAlive();
      if (!(await this.#waiters.told(untilMs - runtime.monotonicMs()))) return false;
    }
    return true;
  }

  /**
   * Changes the record with the next beat, or at once when it is `urgent`. Resolves when the change is stored; rejects with
   * `LeaseLostError` when it never will be.
   */
  async change(change: NodeRecordChange, { urgent = false } = {}): Promise<NodeRecord> {
    this.#assertAlive();
    return new Promise((resolve, reject) => {
      this.#pending.push({ change, resolve, reject });
      if (!urgent) return;
      this.#isUrgent = true;
      this.#wake?.();
    });
  }

  #assertAlive(): void {
    if (this.#state === 'lost') throw new LeaseLostError('this epoch was ended by another node');
    if (this.#state === 'stopped') throw new LeaseLostError('this node has stopped');
  }

  async #beat(): Promise<void> {
    const { runtime, timing } = this.#options;
    while (this.#state === 'beating') {
      const startedAt = readClocks(runtime);
      await this.#renew();
      // A renewal that took long may have come back with a lease that is over already.
      if (this.holds() && !this.#isUrgent) await this.#pause(timing.beatMs - elapsedMs(runtime, startedAt));
    }
  }

  async #renew(): Promise<void> {
    const { runtime, timing } = this.#options;
    const changes = this.#pending.splice(0);
    this.#isUrgent = false;
    const record = changes.reduce(
      (merged, { change }) => ({ ...merged, ...change }),
      changedNodeRecord(this.#current.record, {}),
    );
    const body = encodeNodeRecord(record, this.#options.formats);
    let firstSent: ClockReading | undefined;
    for (let attempt = 0; this.#state === 'beating'; attempt++) {
      if (attempt > 0) await this.#pause(Math.min(firstRetryMs * 2 ** attempt, timing.beatMs));
      const sentAt = readClocks(runtime);
      const result = await this.#attempt(body);
      this.#options.onAttempt?.(result.outcome);
      if (result.outcome === 'won') {
        this.#renewed({ record, etag: result.etag }, firstSent ?? sentAt);
        for (const { resolve } of changes) resolve(record);
        return;
      }
      if (result.outcome === 'lost') this.#lose(undefined);
      if (result.outcome === 'unknown') firstSent ??= sentAt;
    }
    const refusal = new LeaseLostError('the record of this node is not changed any more');
    for (const { reject } of changes) reject(refusal);
  }

  /** One attempt to store the next version. An answer that takes longer than a beat is given up as unknown. */
  async #attempt(body: Buffer): Promise<Attempt> {
    const { runtime, store, timing } = this.#options;
    const key = nodeRecordName(this.epoch);
    try {
      const put = store.put(key, body, { ifMatch: this.#current.etag });
      const result = await withTimeLimit(runtime, timing.beatMs, put);
      if (result === undefined) return { outcome: 'unknown' };
      if (result.won) return { outcome: 'won', etag: result.etag };
      const current = await withTimeLimit(runtime, timing.beatMs, store.get(key));
      if (current === undefined) return { outcome: 'unknown' };
      // An earlier sending of the same bytes may have been the one that counted.
      if (current.body.equals(body)) return { outcome: 'won', etag: current.etag };
      return { outcome: 'lost' };
    } catch (error) {
      if (error instanceof OutcomeUnknownError) return { outcome: 'unknown' };
      if (error instanceof StoreUnavailableError) return { outcome: 'refused' };
      this.#lose(error);
      return { outcome: 'refused' };
    }
  }

  #renewed(current: VersionedNodeRecord, sentAt: ClockReading): void {
    this.#current = current;
    this.#renewedAt = sentAt;
    if (!this.holds()) return;
    this.#waiters.tell();
  }

  #lose(cause: unknown): void {
    if (this.#state === 'lost') return;
    this.#state = 'lost';
    this.#refuse(new LeaseLostError('this epoch was ended by another node', { cause }));
    this.#options.onLost(cause);
  }

  #refuse(error: Error): void {
    for (const { reject } of this.#pending.splice(0)) reject(error);
    this.#waiters.refuse(error);
  }

  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.runtime.schedule(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
