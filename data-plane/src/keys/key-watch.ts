/**
 * Watches the keys that open databases depend on, and stands between the databases and the key service.
 *
 * Invariants. What it asks of the key service grows with the keys in use, not with the databases: each key is probed once
 * per interval, with the wrapped key of one of its databases, another one each time. A refusal takes the key from its
 * databases at once. No answer is no refusal: it takes the key only when none came for `graceMs`. A key that was refused
 * is not asked for again for a moment, however many requests want to open its databases; after that the next request finds
 * out by itself whether the key can be used again. Without open databases there is no timer.
 */
import type { Runtime } from '../runtime.js';
import {
  KeyMismatchError,
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
  type WrappedByKey,
} from './key-service.js';

export interface KeyWatchSettings {
  /** How often a key that is in use is probed. */
  readonly probeEveryMs: number;
  /** How long databases go on with a key about which the key service says nothing. */
  readonly graceMs: number;
}

export interface KeyWatchOptions extends KeyWatchSettings {
  readonly runtime: Runtime;
  readonly service: KeyService;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** A key was taken from this many databases. */
  readonly onLost?: (cause: 'refused' | 'mismatch' | 'unavailable', databases: number) => void;
}

/** A wrapped data key that somebody holds the plaintext of. */
export interface HeldKey {
  readonly keyId: string;
  readonly wrapped: Uint8Array;
  readonly context: EncryptionContext;
}

/** Why a key was taken from its holders. */
export type LostKey = KeyRefusedError | KeyMismatchError | KeyServiceUnavailableError;

interface Holder {
  readonly key: HeldKey;
  readonly onLost: (cause: LostKey) => void;
}

interface WatchedKey {
  readonly keyId: string;
  /** In the order in which they are probed with. */
  readonly holders: Set<Holder>;
  /** When the key was last known to be usable. */
  usableAtMs: number;
  isUnanswered: boolean;
  cancel: (() => void) | undefined;
}

/** A refused key is asked for again after this long at the earliest. */
const refusalHoldsMs = 1_000;
/** Refusals that are remembered. */
const maxRefusals = 10_000;

export class KeyWatch implements KeyService {
  readonly #options: KeyWatchOptions;
  readonly #watched = new Map<string, WatchedKey>();
  readonly #refusals = new Map<string, { readonly error: KeyRefusedError; readonly untilMs: number }>();
  #isStopped = false;

  constructor(options: KeyWatchOptions) {
    this.#options = options;
  }

  get defaultKeyId(): string {
    return this.#options.service.defaultKeyId;
  }

  /** Keys that open databases depend on. */
  get keysInUse(): number {
    return this.#watched.size;
  }

  keyIdDefect(keyId: string): string | undefined {
    return this.#options.service.keyIdDefect(keyId);
  }

  async generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#options.service.generateWrappedDataKey(keyId, context);
  }

  async wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#options.service.wrap(keyId, dataKey, context);
  }

  async rewrap(from: HeldKey, to: { keyId: string; context: EncryptionContext }): Promise<WrappedByKey> {
    return this.#options.service.rewrap(from, to);
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    return this.#remembering(keyId, context, async () => this.#options.service.unwrap(keyId, wrapped, context));
  }

  async probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void> {
    await this.#remembering(keyId, context, async () => this.#options.service.probe(keyId, wrapped, context));
  }

  /**
   * To be called by whoever holds the plaintext of `keys`, all of one database; the returned function when it does no more.
   * `onLost` is called, once for each key that wraps, when the plaintext must go.
   */
  hold(keys: readonly HeldKey[], onLost: (cause: LostKey) => void): () => void {
    const holders = new Map<string, Holder>();
    for (const key of keys) if (!holders.has(key.keyId)) holders.set(key.keyId, { key, onLost });
    for (const [keyId, holder] of holders) this.#watch(keyId).holders.add(holder);
    return () => {
      for (const [keyId, holder] of holders) {
        const watched = this.#watched.get(keyId);
        watched?.holders.delete(holder);
        if (watched?.holders.size === 0) this.#forget(watched);
      }
    };
  }

  /** Probes nothing any more. */
  stop(): void {
    this.#isStopped = true;
    for (const watched of [...this.#watched.values()]) this.#forget(watched);
  }

  #watch(keyId: string): WatchedKey {
    const present = this.#watched.get(keyId);
    if (present) return present;
    const usableAtMs = this.#options.runtime.monotonicMs();
    const watched: WatchedKey = { keyId, holders: new Set(), usableAtMs, isUnanswered: false, cancel: undefined };
    this.#watched.set(keyId, watched);
    this.#arm(watched);
    return watched;
  }

  #forget(watched: WatchedKey): void {
    watched.cancel?.();
    if (this.#watched.get(watched.keyId) === watched) this.#watched.delete(watched.keyId);
  }

  /** The next probe; earlier where the time without an answer ends before. */
  #arm(watched: WatchedKey): void {
    if (this.#isStopped || this.#watched.get(watched.keyId) !== watched) return;
    const { runtime, probeEveryMs, graceMs } = this.#options;
    const graceLeftMs = watched.usableAtMs + graceMs - runtime.monotonicMs();
    // Nodes that started together do not probe together; never later than the interval says.
    const regularMs = probeEveryMs * (1 - runtime.randomFraction() / 10);
    const delayMs = watched.isUnanswered && graceLeftMs > 0 ? Math.min(regularMs, graceLeftMs) : regularMs;
    watched.cancel = runtime.schedule(delayMs, () => {
      watched.cancel = undefined;
      void this.#probe(watched).finally(() => this.#arm(watched));
    });
  }

  /**
   * Asks until one of the key's databases may use it, or none is left. A refusal of access may concern one group only, where
   * the policy of the key has conditions: then the others are asked for, too.
   */
  async #probe(watched: WatchedKey): Promise<void> {
    for (;;) {
      const [holder] = watched.holders;
      if (!holder) return;
      watched.holders.delete(holder);
      watched.holders.add(holder);
      const { keyId, wrapped, context } = holder.key;
      try {
        await this.#options.service.probe(keyId, wrapped, context);
        this.#usable(keyId, context);
        return;
      } catch (error) {
        if (error instanceof KeyRefusedError) {
          this.#remember(keyId, context, error);
          this.#take(watched, error, error.reason === 'denied' ? context : undefined);
        } else if (error instanceof KeyMismatchError) {
          this.#take(watched, error);
        } else {
          this.#unanswered(watched, error);
          return;
        }
      }
    }
  }

  #unanswered(watched: WatchedKey, error: unknown): void {
    const { runtime, graceMs, report } = this.#options;
    const silentMs = runtime.monotonicMs() - watched.usableAtMs;
    if (!watched.isUnanswered) {
      const databases = watched.holders.size;
      report('nothing is known about a key', { key: watched.keyId, databases, error: String(error) });
    }
    watched.isUnanswered = true;
    if (silentMs < graceMs) return;
    const message = `nothing was known about key ${watched.keyId} for ${Math.round(silentMs)} ms`;
    this.#take(watched, new KeyServiceUnavailableError(message, { cause: error }));
  }

  /** Takes the key from all its holders, or from those of one group. */
  #take(watched: WatchedKey, cause: LostKey, only?: EncryptionContext): void {
    const holders = [...watched.holders].filter(
      ({ key: { context } }) =>
        only === undefined || (context.organization === only.organization && context.group === only.group),
    );
    for (const holder of holders) watched.holders.delete(holder);
    if (watched.holders.size === 0) this.#forget(watched);
    for (const { onLost } of holders) onLost(cause);
    const kind =
      cause instanceof KeyRefusedError ? 'refused' : cause instanceof KeyMismatchError ? 'mismatch' : 'unavailable';
    this.#options.onLost?.(kind, holders.length);
    this.#options.report('key taken from its databases', {
      key: watched.keyId,
      cause: cause instanceof KeyRefusedError ? cause.reason : kind,
      databases: holders.length,
      error: cause.message,
    });
  }

  async #remembering<T>(keyId: string, context: EncryptionContext, use: () => Promise<T>): Promise<T> {
    const nowMs = this.#options.runtime.monotonicMs();
    for (const place of placesOf(keyId, context)) {
      const refusal = this.#refusals.get(place);
      if (refusal && nowMs < refusal.untilMs) throw refusal.error;
    }
    try {
      const result = await use();
      this.#usable(keyId, context);
      return result;
    } catch (error) {
      if (error instanceof KeyRefusedError) this.#remember(keyId, context, error);
      throw error;
    }
  }

  #usable(keyId: string, context: EncryptionContext): void {
    const watched = this.#watched.get(keyId);
    if (watched) {
      watched.usableAtMs = this.#options.runtime.monotonicMs();
      if (watched.isUnanswered) this.#options.report('key usable again', { key: keyId });
      watched.isUnanswered = false;
    }
    const wasRefused = placesOf(keyId, context).filter((place) => this.#refusals.delete(place)).length > 0;
    if (wasRefused) this.#options.report('key usable again', { key: keyId });
  }

  #remember(keyId: string, context: EncryptionContext, error: KeyRefusedError): void {
    const [everywhere, group] = placesOf(keyId, context);
    const place = error.reason === 'denied' ? group : everywhere;
    if (!this.#refusals.has(place)) this.#options.report('key refused', { key: keyId, cause: error.reason });
    this.#refusals.delete(place);
    this.#refusals.set(place, { error, untilMs: this.#options.runtime.monotonicMs() + refusalHoldsMs });
    if (this.#refusals.size <= maxRefusals) return;
    const [oldest] = this.#refusals.keys();
    if (oldest !== undefined) this.#refusals.delete(oldest);
  }
}

/** Where a refusal is remembered: of a key as a whole, and of access to it for one group. */
function placesOf(keyId: string, { organization, group }: EncryptionContext): [everywhere: string, group: string] {
  return [keyId, JSON.stringify([keyId, organization, group])];
}
