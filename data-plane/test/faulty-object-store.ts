import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '../src/object-store/object-store.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';
import type { VirtualRuntime } from './virtual-runtime.js';

/** How a store misbehaves; the rates are shares of the operations, in percent. */
export interface Faults {
  /** It could not be reached and did nothing. */
  readonly unavailable: number;
  /** Writes: it was done, and the answer was lost. */
  readonly lostAnswer: number;
  /** Writes: it was not done, and nobody knows. */
  readonly lostRequest: number;
  /** Writes: given up as unknown, and done some time later. */
  readonly lateEffect: number;
  /** Every request and every answer takes between 0 and this many milliseconds, so that they overtake each other. */
  readonly maxDelayMs: number;
  /** A late effect comes at most this much later. */
  readonly maxLatenessMs: number;
}

export const someFaults: Faults = {
  unavailable: 10,
  lostAnswer: 10,
  lostRequest: 10,
  lateEffect: 5,
  maxDelayMs: 40,
  maxLatenessMs: 2_000,
};

type Fate = 'good' | 'unavailable' | 'lostAnswer' | 'lostRequest' | 'lateEffect';

/** A real store behind a network that fails. What happens follows from the seed and the order of the calls alone. */
export class FaultyObjectStore implements ObjectStore {
  readonly #random: SeededRandom;
  #isHealthy = false;

  constructor(
    private readonly runtime: VirtualRuntime,
    private readonly store: ObjectStore,
    private readonly faults: Faults,
    seed: number,
  ) {
    this.#random = seededRandom(seed);
  }

  /** From now on nothing fails; what is under way still does. */
  heal(): void {
    this.#isHealthy = true;
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#read(key, () => this.store.get(key));
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#read(key, () => this.store.getRange(key, start, length));
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#read(prefix, () => this.store.list(prefix, options));
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#write(key, () => this.store.put(key, body, condition));
  }

  async delete(key: string): Promise<void> {
    return this.#write(key, () => this.store.delete(key));
  }

  async #read<T>(key: string, perform: () => Promise<T>): Promise<T> {
    const isUnavailable = this.#fate() === 'unavailable';
    const [requestMs, answerMs] = [this.#delayMs(), this.#delayMs()];
    await this.runtime.sleep(requestMs);
    if (isUnavailable) throw new StoreUnavailableError(`simulated: ${key} cannot be reached`);
    const result = await this.runtime.hold(perform());
    await this.runtime.sleep(answerMs);
    return result;
  }

  async #write<T>(key: string, perform: () => Promise<T>): Promise<T> {
    const fate = this.#fate();
    const [requestMs, answerMs] = [this.#delayMs(), this.#delayMs()];
    const latenessMs = this.#random.below(this.faults.maxLatenessMs + 1);
    await this.runtime.sleep(requestMs);
    switch (fate) {
      case 'unavailable':
        throw new StoreUnavailableError(`simulated: ${key} cannot be reached`);
      case 'lostRequest':
        throw new OutcomeUnknownError(`simulated: the request for ${key} was lost`);
      case 'lateEffect':
        this.runtime.schedule(latenessMs, () => void this.runtime.hold(perform()));
        throw new OutcomeUnknownError(`simulated: the request for ${key} is late`);
      case 'lostAnswer':
        await this.runtime.hold(perform());
        throw new OutcomeUnknownError(`simulated: the answer about ${key} was lost`);
      case 'good': {
        const result = await this.runtime.hold(perform());
        await this.runtime.sleep(answerMs);
        return result;
      }
    }
  }

  #delayMs(): number {
    return this.#random.below(this.faults.maxDelayMs + 1);
  }

  #fate(): Fate {
    const drawn = this.#random.below(100);
    if (this.#isHealthy) return 'good';
    const { unavailable, lostAnswer, lostRequest, lateEffect } = this.faults;
    if (drawn < unavailable) return 'unavailable';
    if (drawn < unavailable + lostAnswer) return 'lostAnswer';
    if (drawn < unavailable + lostAnswer + lostRequest) return 'lostRequest';
    return drawn < unavailable + lostAnswer + lostRequest + lateEffect ? 'lateEffect' : 'good';
  }
}
