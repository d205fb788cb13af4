/**
 * All that clients saw of one database, and what must hold of it.
 *
 * Beside what a client of the product sees, every answer of the model engine names the commit that it was made from and a
 * digest of the history up to it. With these, two properties are checked at once, whatever the data: one commit number
 * stands for one history, and nobody sees an older commit than one that somebody had seen before he asked.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { isWrite, markerOf } from '../engine/operations.js';
import type { PageCommit } from '../engine/page-database.js';
import type { World } from '../world/world.js';
import { checkLinearizable } from './linearizability.js';
import {
  describeEntry,
  independentParts,
  transactionModel,
  type Transaction,
  type TransactionEntry,
} from './transactions.js';

/** A call of a client: its number, and what had been seen of the database by then. */
export interface StartedCall {
  readonly called: number;
  readonly database: DatabaseHistory;
  readonly seenCommit: number;
}

export type LifeStage = 'creating' | 'live' | 'deleting' | 'deleted';

export class DatabaseHistory {
  readonly id: DatabaseId;
  readonly name: string;
  readonly entries: TransactionEntry[] = [];
  readonly #world: World;
  readonly #numbers: { next: number };
  /** What each commit number stands for, as clients or engines saw it. */
  readonly #histories = new Map<number, string>();
  /** Every commit that an engine ever made, by the digest of the history that ends in it. */
  readonly #commits = new Map<string, { number: number; previous: string; markers: readonly string[] }>();
  /** The highest commit that a client saw so far. */
  #seenCommit = 0;
  /** The commit that each answer was made from, by the number of its return. */
  readonly #seenAt = new Map<number, number>();
  stage: LifeStage = 'creating';
  /**
   * Whether the clocks are worse than leases allow for. Then nothing that was acknowledged may be lost and no history may
   * fork, but answers to reads may be old: they are not looked at.
   */
  #readsCount = true;
  #deletedAt: number | undefined;

  constructor(world: World, numbers: { next: number }, id: DatabaseId, name: string) {
    this.#world = world;
    this.#numbers = numbers;
    this.id = id;
    this.name = name;
  }

  ignoreReads(): void {
    this.#readsCount = false;
  }

  countReads(): void {
    this.#readsCount = true;
  }

  /** A client calls. To be given to `answered`. */
  calls(): StartedCall {
    return { called: this.#numbers.next++, database: this, seenCommit: this.#seenCommit };
  }

  /** A client got an answer that was made from `seen`. Returns the number of this return. */
  answered(call: StartedCall, seen: { readonly commit: number; readonly history: string }): number {
    if (this.#readsCount && this.#deletedAt !== undefined && call.called > this.#deletedAt) {
      this.#violate(`call ${call.called} was answered, though the deletion had been confirmed`);
    }
    if (this.#readsCount && call.database === this && seen.commit < call.seenCommit) {
      this.#violate(
        `commit ${call.seenCommit} had been seen before call ${call.called}, which was answered from ${seen.commit}`,
      );
    }
    this.#assertHistory(seen, 'a client saw');
    this.#seenCommit = Math.max(this.#seenCommit, seen.commit);
    const returned = this.#numbers.next++;
    this.#seenAt.set(returned, seen.commit);
    return returned;
  }

  /** A client was told that the database is deleted. */
  deleted(): void {
    this.stage = 'deleted';
    this.#deletedAt = this.#numbers.next++;
  }

  /** An engine process opened the database. */
  opened(commit: number, history: string): void {
    const known = this.#histories.get(commit);
    if (known !== undefined && known !== history) {
      this.#violate(`an engine process opened a commit ${commit} that is not the one that clients saw`);
    }
  }

  /** An engine made a commit; it may never become durable. */
  committed({ commit, history, previous }: PageCommit, markers: readonly string[]): void {
    this.#commits.set(history, { number: commit, previous, markers });
  }

  record(operation: Transaction, called: number, returned: number | undefined): void {
    const hasWritten = operation.isCommitted && operation.operations.some(isWrite);
    if (this.#readsCount || hasWritten) this.entries.push({ operation, called, returned });
  }

  /** Decides whether everything that clients saw fits together. */
  check(): void {
    const rank = this.#ranks();
    for (const part of independentParts(this.entries)) {
      const verdict = checkLinearizable(transactionModel(), part, { maxSteps: 50_000, rank });
      // The order in which commits were made is tried first, and must do.
      if (verdict.kind === 'undecided') this.#violate(`no order was found for ${part.length} operations of clients`);
      if (verdict.kind === 'violated') {
        this.#violate(
          `no order explains what clients saw; after ${verdict.performed} of ${part.length} operations: ${describeEntry(verdict.stuck)}`,
        );
      }
    }
  }

  /** In which commit of the history that clients saw last each operation took effect, or was answered. */
  #ranks(): (entry: TransactionEntry) => number {
    const commits = new Map<string, number>();
    for (let at = this.#histories.get(this.#seenCommit); at !== undefined;) {
      const commit = this.#commits.get(at);
      for (const marker of commit?.markers ?? []) commits.set(marker, commit?.number ?? 0);
      at = commit?.previous;
    }
    return ({ operation, returned }) => {
      for (const one of operation.operations) {
        const commit = operation.isCommitted ? commits.get(markerOf(one) ?? '') : undefined;
        if (commit !== undefined) return commit;
      }
      return returned === undefined ? Infinity : (this.#seenAt.get(returned) ?? 0) + 0.5;
    };
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
