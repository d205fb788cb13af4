/**
 * All that clients saw of one database, and what must hold of it.
 *
 * Beside what a client of the product sees, every answer of the model engine names the commit that it was made from and a
 * digest of the history up to it. With these, two properties are checked at once, whatever the data: one commit number
 * stands for one history, and nobody sees an older commit than one that somebody had seen before he asked.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { World } from '../world/world.js';
import { checkLinearizable } from './linearizability.js';
import {
  describeEntry,
  independentParts,
  transactionModel,
  type Transaction,
  type TransactionEntry,
} from './transactions.js';

export type LifeStage = 'creating' | 'live' | 'deleting' | 'deleted';

export class DatabaseHistory {
  readonly id: DatabaseId;
  readonly name: string;
  readonly entries: TransactionEntry[] = [];
  readonly #world: World;
  readonly #numbers: { next: number };
  /** What each commit number stands for, as clients or engines saw it. */
  readonly #histories = new Map<number, string>();
  /** The highest commit that a client saw so far. */
  #seenCommit = 0;
  stage: LifeStage = 'creating';
  undecided = 0;

  constructor(world: World, numbers: { next: number }, id: DatabaseId, name: string) {
    this.#world = world;
    this.#numbers = numbers;
    this.id = id;
    this.name = name;
  }

  /** A client calls. To be given to `answered`. */
  calls(): { readonly called: number; readonly seenCommit: number } {
    return { called: this.#numbers.next++, seenCommit: this.#seenCommit };
  }

  /** A client got an answer that was made from `seen`. Returns the number of this return. */
  answered(
    call: { readonly called: number; readonly seenCommit: number },
    seen: { readonly commit: number; readonly history: string },
  ): number {
    if (seen.commit < call.seenCommit) {
      this.#violate(
        `commit ${call.seenCommit} had been seen before call ${call.called}, which was answered from ${seen.commit}`,
      );
    }
    this.#assertHistory(seen, 'a client saw');
    this.#seenCommit = Math.max(this.#seenCommit, seen.commit);
    return this.#numbers.next++;
  }

  /** An engine process opened the database. */
  opened(commit: number, history: string): void {
    const known = this.#histories.get(commit);
    if (known !== undefined && known !== history) {
      this.#violate(`an engine process opened a commit ${commit} that is not the one that clients saw`);
    }
  }

  record(operation: Transaction, called: number, returned: number | undefined): void {
    this.entries.push({ operation, called, returned });
  }

  /** Decides whether everything that clients saw fits together. */
  check(): void {
    for (const part of independentParts(this.entries)) {
      const verdict = checkLinearizable(transactionModel(), part, 300_000);
      if (verdict.kind === 'undecided') this.undecided += 1;
      if (verdict.kind === 'violated') {
        this.#violate(
          `no order explains what clients saw; after ${verdict.performed} of ${part.length} operations: ${describeEntry(verdict.stuck)}`,
        );
      }
    }
  }

  #assertHistory({ commit, history }: { readonly commit: number; readonly history: string }, who: string): void {
    const known = this.#histories.get(commit);
    if (known === undefined) this.#histories.set(commit, history);
    else if (known !== history) this.#violate(`${who} two histories that both end in commit ${commit}`);
  }

  #violate(what: string): void {
    this.#world.violate(`database ${this.name} (${this.id.slice(0, 8)}): ${what}`);
  }
}
