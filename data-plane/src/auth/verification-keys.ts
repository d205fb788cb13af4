/**
 * The keys that database tokens are verified with, as the control plane published them in the control store; and, read
 * with them, the access rules, which are exactly as fresh.
 *
 * Staleness: while the store answers, no request is judged by a key set that was read more than `maxAgeMs` (10 s)
 * before; so a key that leaves the set stops opening anything within that time. The set is read again only while
 * requests come: nothing runs on an idle node. While the store does not answer, the last set that was read stays in use
 * for `outageToleranceMs` (5 min) after its reading, because an outage is no revocation; then requests are refused.
 */
import type { Logger } from 'pino';
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { verificationKeysObject } from './claims.js';
import type { PublishedRules } from './published-rules.js';
import { parseVerificationKeySet, type ParsedKeySet, type VerificationKey } from './verification-key-set.js';

/** Older than this keys and rules that were read are judged by nowhere, while the store answers. */
export const publishedMaxAgeMs = 10_000;

export interface VerificationKeysOptions {
  /** The control store. */
  readonly store: Pick<ObjectStore, 'get'>;
  /** Read whenever the keys are; keys whose rules cannot be read count as not read. */
  readonly rules: PublishedRules;
  readonly runtime: Pick<Runtime, 'monotonicMs' | 'schedule'>;
  readonly log: Logger;
  /** @default 10_000 */
  readonly maxAgeMs?: number;
  /** @default 300_000 */
  readonly outageToleranceMs?: number;
  /** Least time between the starts of two reads. @default 1_000 */
  readonly readIntervalMs?: number;
}

export class VerificationKeys {
  readonly #options: Required<VerificationKeysOptions>;
  #set: ParsedKeySet = { version: 0, keys: new Map() };
  /** When the read that gave `#set` was started. */
  #setReadAtMs = -Infinity;
  #lastStartMs = -Infinity;
  #failure: unknown;
  #reading: Promise<void> | undefined;
  /** A read that starts when the interval allows; it sees whatever was published before now. */
  #upcoming: Promise<void> | undefined;

  constructor(options: VerificationKeysOptions) {
    this.#options = { maxAgeMs: publishedMaxAgeMs, outageToleranceMs: 300_000, readIntervalMs: 1_000, ...options };
  }

  /** Reads the set for the first time. Throws `STORE_UNAVAILABLE`, `STORE_OBJECT_CORRUPT` or `STORE_FORMAT_UNKNOWN`. */
  async start(): Promise<void> {
    await this.#read();
    this.#assertUsable();
  }

  /**
   * Undefined when the set is fresh enough to judge a request by; otherwise resolves when it is. Throws or rejects as
   * `start` does when no usable set can be had.
   */
  freshen(): Promise<void> | undefined {
    if (this.isFresh) return undefined;
    const { maxAgeMs, readIntervalMs } = this.#options;
    const now = this.#options.runtime.monotonicMs();
    const ageMs = now - this.#setReadAtMs;
    const mayStart = now - this.#lastStartMs >= readIntervalMs;
    if (ageMs < maxAgeMs) {
      // Half way, so that a busy node renews its set before anybody has to wait for it.
      if (mayStart) void this.#read();
      return undefined;
    }
    if (this.#reading !== undefined || mayStart) return this.#read().then(() => this.#assertUsable());
    this.#assertUsable();
    return undefined;
  }

  /** True when the set can judge a request and need not be renewed yet. */
  get isFresh(): boolean {
    return this.#options.runtime.monotonicMs() - this.#setReadAtMs < this.#options.maxAgeMs / 2;
  }

  /** True while `key` is in the set, under the same id and with the same bytes. */
  isCurrent(key: VerificationKey): boolean {
    return this.#set.keys.get(key.kid) === key;
  }

  /**
   * The key of this id, or undefined when a set that was read after this call has none. Reads for unknown ids are
   * shared and start at most once per interval, however many requests ask.
   */
  async find(kid: string): Promise<VerificationKey | undefined> {
    await this.freshen();
    if (!this.#set.keys.has(kid) && this.#reading !== undefined) await this.#reading;
    if (!this.#set.keys.has(kid)) await this.#readAnew();
    return this.#set.keys.get(kid);
  }

  #readAnew(): Promise<void> {
    if (this.#upcoming !== undefined) return this.#upcoming;
    const { readIntervalMs, runtime } = this.#options;
    const waitMs = this.#lastStartMs + readIntervalMs - runtime.monotonicMs();
    if (waitMs <= 0 && this.#reading === undefined) return this.#read();
    const upcoming = new Promise<void>((resolve) => {
      runtime.schedule(Math.max(waitMs, 0), resolve);
    }).then(async () => {
      await this.#reading;
      this.#upcoming = undefined;
      await this.#read();
    });
    this.#upcoming = upcoming;
    return upcoming;
  }

  /** Never rejects: what went wrong is logged and kept for whoever finds the set unusable because of it. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const startedAtMs = this.#options.runtime.monotonicMs();
    this.#lastStartMs = startedAtMs;
    try {
      const object = await this.#options.store.get(verificationKeysObject);
      this.#accept(object === undefined ? undefined : parseVerificationKeySet(object.body));
      await this.#options.rules.read(this.#set.keys);
      this.#setReadAtMs = startedAtMs;
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error;
      this.#options.log.error({ err: error }, 'the verification keys of database tokens could not be read');
    }
  }

  /** `undefined` = the object does not exist, which is fine only until it existed. */
  #accept(read: ParsedKeySet | undefined): void {
    const knownVersion = this.#set.version;
    if ((read?.version ?? 0) < knownVersion) {
      throw new ByocError(
        'STORE_OBJECT_CORRUPT',
        `${verificationKeysObject} went back from version ${knownVersion} to ${read?.version ?? 'nothing'}`,
      );
    }
    if (read === undefined) return;
    const keys = new Map<string, VerificationKey>();
    for (const [kid, key] of read.keys) {
      const known = this.#set.keys.get(kid);
      // An unchanged key stays the same object: that is how `isCurrent` recognizes it.
      keys.set(kid, known?.publicKey === key.publicKey ? known : key);
    }
    this.#set = { version: read.version, keys };
  }

  #assertUsable(): void {
    const { maxAgeMs, outageToleranceMs, runtime } = this.#options;
    const ageMs = runtime.monotonicMs() - this.#setReadAtMs;
    if (ageMs <= maxAgeMs || ageMs <= outageToleranceMs) return;
    if (isByocError(this.#failure)) throw this.#failure;
    throw new ByocError('STORE_UNAVAILABLE', 'the verification keys of database tokens cannot be read', {
      cause: this.#failure,
    });
  }
}
