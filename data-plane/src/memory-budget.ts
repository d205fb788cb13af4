import { ByocError } from './errors/catalogue.js';

/** Memory of one node for something that clients send, all of it together. */
export class MemoryBudget {
  #takenBytes = 0;

  /** `of`: what takes it, as the refusal says it. */
  constructor(
    private readonly mostBytes: number,
    private readonly of: string,
  ) {}

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Throws `OVERLOADED` when the budget is used up. */
  take(bytes: number): void {
    if (this.#takenBytes + bytes > this.mostBytes) {
      throw new ByocError('OVERLOADED', `${this.of} take all the memory this node sets aside`);
    }
    this.#takenBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}
