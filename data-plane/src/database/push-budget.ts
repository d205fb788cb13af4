import { ByocError } from '../errors/catalogue.js';

/** Memory of one node for the beginnings of transactions that replicas of all its databases push. */
export class PushBudget {
  #takenBytes = 0;

  constructor(private readonly mostBytes = 256 * 2 ** 20) {}

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Throws `OVERLOADED` when the budget is used up. */
  take(bytes: number): void {
    if (this.#takenBytes + bytes > this.mostBytes) {
      throw new ByocError('OVERLOADED', 'pushed transactions that wait for their rest take all the memory set aside');
    }
    this.#takenBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
