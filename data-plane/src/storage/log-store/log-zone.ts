/**
 * One of the three zones of a log: a bucket, what is known of its health, and the writes that it has not answered yet.
 *
 * An entry that two other zones have is not needed here any more, so a zone that is slow or away must not hold memory
 * without end: beyond `maxWaitingBytes` of unanswered entries it gets no further ones, and after a failure one at a time,
 * until it takes one.
 */
import type { ObjectStore } from '../../object-store/object-store.js';

/** What a zone says of an entry that is created in it: it stands there, or something else does. */
export type ZoneAnswer = 'held' | 'refused';

/**
 * `taken`: the zone has an entry. `given-up`: it will not have one, which two others have. `not-begun`: it has not got the
 * beginning of this epoch's log yet, so that recoverers cannot use it. `deletion-owed`: it keeps what is no longer needed.
 */
export type ZoneEvent = 'taken' | 'given-up' | 'not-begun' | 'deletion-owed';

export type ZoneReport = (zone: string, event: ZoneEvent, error?: unknown) => void;

const absent = { ifAbsent: true } as const;
const failuresOfAZoneThatIsAway = 3;

export class LogZone {
  readonly name: string;
  readonly store: ObjectStore;
  readonly #maxWaitingBytes: number;
  #waitingBytes = 0;
  #waiting = 0;
  #failures = 0;

  constructor(name: string, store: ObjectStore, maxWaitingBytes = 32 * 2 ** 20) {
    this.name = name;
    this.store = store;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** Whether the last answer of the zone was a failure. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Whether it has failed so often in a row that trying the same again is no use. */
  get isAway(): boolean {
    return this.#failures > failuresOfAZoneThatIsAway;
  }

  /** Bytes of entries that the zone was given and has not answered. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isFull(): boolean {
    return this.#waitingBytes >= this.#maxWaitingBytes;
  }

  /** Whether another entry may be given to the zone before it is known that it is needed there. */
  get hasRoom(): boolean {
    return this.isFailing ? this.#waiting === 0 : !this.isFull;
  }

  /** Creates an object and tries once. Throws `OutcomeUnknownError` and `StoreUnavailableError`. */
  async create(key: string, bytes: Buffer): Promise<ZoneAnswer> {
    this.#waiting += 1;
    const release = this.hold(bytes.length);
    try {
      return await this.observe(async () => {
        const result = await this.store.put(key, bytes, absent);
        if (result.won) return 'held';
        const current = await this.store.get(key);
        return current?.body.equals(bytes) ? 'held' : 'refused';
      });
    } finally {
      this.#waiting -= 1;
      release();
    }
  }

  /** Counts bytes as waiting for the zone until the returned function is called. */
  hold(bytes: number): () => void {
    this.#waitingBytes += bytes;
    return () => (this.#waitingBytes -= bytes);
  }

  /** Runs requests to the zone, and learns from how they end. */
  async observe<T>(request: () => Promise<T>): Promise<T> {
    try {
      const result = await request();
      this.#failures = 0;
      return result;
    } catch (error) {
      this.#failures += 1;
      throw error;
    }
  }
}
