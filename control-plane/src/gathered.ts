/**
 * Work that is cheaper together than one by one. What is asked for while all places are taken waits, and goes on together as
 * soon as a place is free: without waiting when little is asked for, in ever larger groups the more there is. A group's work is
 * done in the name (call, trace) of the first that asked for it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface GatheredOptions<Item, Result> {
  /** Does the work of a group; returns an outcome for each item, in order. Never rejects. */
  readonly run: (group: readonly Item[]) => Promise<PromiseSettledResult<Result>[]>;
  /** Groups under way at a time. */
  readonly maxUnderWay: number;
  /** What the items of a group weigh together at the most, unless one alone weighs more. */
  readonly maxWeight: number;
  readonly weightOf: (item: Item) => number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  /** Runs work in the name of whoever asked. */
  readonly inName: <T>(work: () => T) => T;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

export class Gathered<Item, Result> {
  readonly #waiting: Waiting<Item, Result>[] = [];
  #underWay = 0;

  constructor(private readonly options: GatheredOptions<Item, Result>) {}

  /** The outcome of the item. */
  async add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, inName: AsyncLocalStorage.snapshot(), resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#underWay >= this.options.maxUnderWay || this.#waiting.length === 0) return;
    this.#underWay += 1;
    void this.#run(this.#take()).finally(() => {
      this.#underWay -= 1;
      this.#next();
    });
  }

  #take(): Waiting<Item, Result>[] {
    let count = 0;
    let weight = 0;
    for (const { item } of this.#waiting) {
      weight += this.options.weightOf(item);
      if (count > 0 && weight > this.options.maxWeight) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #run(group: readonly Waiting<Item, Result>[]): Promise<void> {
    const run = async (): Promise<PromiseSettledResult<Result>[]> => this.options.run(group.map(({ item }) => item));
    const outcomes = await (group[0]?.inName(run) ?? run());
    for (const [place, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[place];
      if (outcome?.status === 'fulfilled') resolve(outcome.value);
      else reject(outcome?.reason ?? new Error('a group of work has no outcome for an item'));
    }
  }
}
