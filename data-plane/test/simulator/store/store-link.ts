/**
 * One machine's way to one store. A request leaves the machine, takes effect in the store or does not, and its answer
 * comes back or does not; what happens is drawn when the request is made and when it arrives.
 */
import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '@turso-byoc/data-plane/object-store/object-store.js';
import { never, type Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import type { MemoryStore } from './memory-store.js';
import type { StoreProfile } from './store-profile.js';
import type { StoreWeather } from './store-weather.js';

/** One store of the world: what it holds, how it behaves, and what is wrong with it. */
export interface SimulatedStore {
  readonly contents: MemoryStore;
  readonly profile: StoreProfile;
  readonly weather: StoreWeather;
}

export interface StoreRequest {
  readonly machine: Machine;
  readonly store: string;
  readonly operation: 'get' | 'getRange' | 'put' | 'delete' | 'list';
  readonly key: string;
}

/**
 * Sees every request before it leaves. `lost`: it never leaves. `unanswered`: it takes effect, and the machine is told that
 * nobody knows. A promise: it leaves when that resolves.
 */
export type OnStoreRequest = (request: StoreRequest) => 'sent' | 'lost' | 'unanswered' | Promise<void>;

type Fate = 'good' | 'refused' | 'lostAnswer' | 'lostRequest' | 'late';

export class StoreLink implements ObjectStore {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #store: SimulatedStore;
  readonly #onRequest: OnStoreRequest;
  readonly #random: Random;

  constructor(world: World, machine: Machine, store: SimulatedStore, onRequest: OnStoreRequest) {
    this.#world = world;
    this.#machine = machine;
    this.#store = store;
    this.#onRequest = onRequest;
    this.#random = world.random.fork();
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#request('get', key, false, (contents) => contents.get(key), found);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#request('getRange', key, false, (contents) => contents.getRange(key, start, length), found);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    // The caller may change its buffer once this has returned.
    const copy = Buffer.from(body);
    return this.#request(
      'put',
      key,
      true,
      (contents) => contents.put(key, copy, condition),
      ({ won }) => (won ? 'won' : 'lost'),
    );
  }

  async delete(key: string): Promise<void> {
    return this.#request(
      'delete',
      key,
      true,
      (contents) => contents.delete(key),
      () => 'done',
    );
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#request(
      'list',
      prefix,
      false,
      (contents) => contents.list(prefix, options),
      ({ keys }) => `${keys.length} keys`,
    );
  }

  async #request<T>(
    operation: StoreRequest['operation'],
    key: string,
    isWrite: boolean,
    perform: (contents: MemoryStore) => T,
    describe: (result: T) => string,
  ): Promise<T> {
    const { contents, profile, weather } = this.#store;
    const machine = this.#machine;
    const what = `${contents.name} ${operation} ${key}`;
    if (!machine.isAlive) return never();
    const order = this.#onRequest({ machine, store: contents.name, operation, key });
    if (order === 'lost') return never();
    if (order instanceof Promise) {
      this.#world.note(machine.name, `${what} is held up`);
      await order;
    }
    const fate = order === 'unanswered' ? 'lostAnswer' : this.#fate(isWrite);
    const [requestMs, answerMs] = this.#travelMs(isWrite ? profile.writeMs : profile.readMs);
    const latenessMs = this.#random.below(profile.maxLatenessMs + 1);
    const effect = (): T => {
      const result = perform(contents);
      this.#world.note(machine.name, `${what} → ${describe(result)}`);
      return result;
    };
    return new Promise<T>((resolve, reject) => {
      const answer = (afterMs: number, run: () => void): void => {
        this.#world.schedule(afterMs, () => machine.deliver(run));
      };
      const fail = (afterMs: number, error: Error): void => {
        answer(afterMs, () => {
          this.#world.note(machine.name, `${what}: ${error.message}`);
          reject(error);
        });
      };
      const giveUp = (outcome: string): void => {
        const error = isWrite ? new OutcomeUnknownError(outcome) : new StoreUnavailableError(outcome);
        fail(Math.max(0, profile.timeoutMs - requestMs), error);
      };
      this.#world.schedule(requestMs, () => {
        if (!weather.reaches(machine)) {
          // Most often no connection could be made, and the caller knows that nothing was done.
          if (this.#random.chance(70)) fail(profile.timeoutMs - requestMs, new StoreUnavailableError('no connection'));
          else giveUp('no answer');
        } else if (fate === 'refused' || this.#random.chance(weather.stormPercent)) {
          fail(answerMs, new StoreUnavailableError('503'));
        } else if (fate === 'lostRequest') {
          giveUp('the request was lost');
        } else if (fate === 'late') {
          this.#world.schedule(profile.timeoutMs + latenessMs, effect);
          giveUp('the request is late');
        } else {
          const result = effect();
          // The connection may also be cut while the answer is on its way.
          if (fate === 'lostAnswer') giveUp('the answer was lost');
          else if (requestMs + answerMs > profile.timeoutMs) giveUp('the answer came too late');
          else
            this.#world.schedule(answerMs, () => {
              if (weather.reaches(machine)) machine.deliver(() => resolve(result));
              else giveUp('the connection was cut');
            });
        }
      });
    });
  }

  /** How long the request and its answer are on their way. */
  #travelMs(medianMs: number): [number, number] {
    const { profile, weather } = this.#store;
    let wholeMs = this.#random.logNormalMs(medianMs, profile.spread) * weather.slowness;
    if (!weather.isHealed && this.#random.chance(profile.slowPercent)) wholeMs *= this.#random.between(10, 100);
    const requestMs = wholeMs * (0.2 + 0.6 * this.#random.fraction());
    return [Math.min(requestMs, profile.timeoutMs), wholeMs - requestMs];
  }

  #fate(isWrite: boolean): Fate {
    const { profile, weather } = this.#store;
    const drawn = this.#random.fraction() * 100;
    if (weather.isHealed) return 'good';
    let limit = profile.refusedPercent;
    if (drawn < limit) return 'refused';
    limit += profile.lostRequestPercent;
    if (drawn < limit) return 'lostRequest';
    if (!isWrite) return 'good';
    limit += profile.lostAnswerPercent;
    if (drawn < limit) return 'lostAnswer';
    return drawn < limit + profile.latePercent ? 'late' : 'good';
  }
}

const found = (object: object | undefined): string => (object === undefined ? 'absent' : 'found');
