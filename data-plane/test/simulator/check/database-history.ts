/**
 * All that clients saw of one database, and what must hold of it.
 *
 * Beside what a client of the product sees, every answer of the model engine names the commit that it was made from and a
 * digest of the history up to it. With these, two properties are checked at once, whatever the data: one commit number
 * stands for one history, and nobody sees an older commit than one that somebody had seen before he asked.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { ModelResult } from '../engine/model-protocol.js';
import { isWrite, markerOf } from '../engine/operations.js';
import type { PageCommit } from '../engine/page-database.js';
import type { World } from '../world/world.js';
import { CommitTimes } from './commit-times.js';
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

/** One committed state, as an answer of the model engine names it. */
export interface CommittedState {
  readonly commit: number;
  readonly history: string;
}

/** A branch was made of a database, and what it began as was read. */
export interface MadeBranch {
  readonly call: StartedCall;
  /** Number of the return of the call that made it. */
  readonly returned: number;
  readonly began: CommittedState;
  /** Absent: of everything that was durable then. */
  readonly timeMs?: number;
}

export type LifeStage = 'creating' | 'live' | 'deleting' | 'deleted';

export class DatabaseHistory {
  readonly id: DatabaseId;
  readonly name: string;
  readonly entries: TransactionEntry[] = [];
  readonly #world: World;
  readonly #numbers: { next: number };
  /** The database that this one was branched from. */
  readonly #origin: DatabaseHistory | undefined;
  readonly #times: CommitTimes;
  readonly #branches: MadeBranch[] = [];
  #began: CommittedState = { commit: 0, history: '' };
  #initial: ReadonlyMap<string, string> = new Map();
  /** What each commit number stands for, as clients or engines saw it. */
  readonly #histories = new Map<number, string>();
  /** Every commit that an engine ever made, by the digest of the history that ends in it. */
  readonly #commits = new Map<string, { number: number; previous: string; markers: readonly string[] }>();
  /** The highest commit that a client saw so far. */
  #seenCommit = 0;
  /** The commit that each answer was made from, by the number of its return. */
  readonly #seenAt = new Map<number, number>();
  stage: LifeStage = 'creating';
  /** The database can go back to this time, unless that is too long ago; milliseconds since 1970. */
  beganBeforeMs = Infinity;
  /**
   * Whether the clocks are worse than leases allow for. Then nothing that was acknowledged may be lost and no history may
   * fork, but answers to reads may be old: they are not looked at.
   */
  #readsCount = true;
  #deletedAt: number | undefined;

  constructor(world: World, numbers: { next: number }, id: DatabaseId, name: string, origin?: DatabaseHistory) {
    this.#world = world;
    this.#numbers = numbers;
    this.id = id;
    this.name = name;
    this.#origin = origin;
    this.#times = new CommitTimes(origin?.times);
  }

  /** The databases that this one was branched from, the oldest first, and itself last. */
  get line(): DatabaseId[] {
    return this.#origin ? [...this.#origin.line, this.id] : [this.id];
  }

  get times(): CommitTimes {
    return this.#times;
  }

  /** What a branch was when it had just been made. */
  began(state: CommittedState, values: ReadonlyMap<string, string>): void {
    this.#began = state;
    this.#initial = values;
    this.#seenCommit = state.commit;
    this.#assertHistory(state, 'a client saw');
  }

  /** The number of a return that names no state. */
  returns(): number {
    return this.#numbers.next++;
  }

  /** `reads`: what was found in the branch, by the prefixes of the keys. */
  wasBranched(branch: MadeBranch, reads: readonly (readonly [prefix: string, result: ModelResult])[]): void {
    this.#branches.push(branch);
    if (branch.timeMs !== undefined) return;
    // Then it is a read of this database like any other.
    const { call, returned, began } = branch;
    if (this.#readsCount && began.commit < call.seenCommit) {
      this.#violate(
        `commit ${call.seenCommit} had been seen before a branch was asked for that begins at ${began.commit}`,
      );
    }
    this.#assertHistory(began, 'a branch began with');
    this.#seenAt.set(returned, began.commit);
    for (const [prefix, result] of reads) {
      this.record(
        { operations: [{ op: 'all', prefix }], results: [result], isCommitted: false },
        call.called,
        returned,
      );
    }
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
  answered(call: StartedCall, seen: CommittedState): number {
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

  /** A commit came to its node, whose clock shows `nowMs`. */
  handed(history: string, nowMs: number): void {
    const commit = this.#commits.get(history);
    if (commit) this.#times.add(history, commit.previous, nowMs);
  }

  record(operation: Transaction, called: number, returned: number | undefined): void {
    const hasWritten = operation.isCommitted && operation.operations.some(isWrite);
    if (this.#readsCount || hasWritten) this.entries.push({ operation, called, returned });
  }

  /** A database gets the name that `earlier` had: what nobody knows the outcome of may still arrive, and take effect here. */
  takesNameOf(earlier: DatabaseHistory): void {
    for (const { operation, called, returned } of earlier.entries) {
      if (returned === undefined) this.record(operation, called, undefined);
    }
  }

  /** Decides whether everything that clients saw fits together. */
  check(): void {
    for (const branch of this.#branches) this.#checkBranch(branch);
    const rank = this.#ranks();
    for (const part of independentParts(this.entries)) {
      const verdict = checkLinearizable(transactionModel(this.#initial), part, { maxSteps: 50_000, rank });
      // The order in which commits were made is tried first, and must do.
      if (verdict.kind === 'undecided') this.#violate(`no order was found for ${part.length} operations of clients`);
      if (verdict.kind === 'violated') {
        this.#violate(
          `no order explains what clients saw; after ${verdict.performed} of ${part.length} operations: ${describeEntry(verdict.stuck)}`,
        );
      }
    }
  }

  /** A branch begins with a state that the database really had: the right one. */
  #checkBranch({ call, began, timeMs }: MadeBranch): void {
    // What came after the last commit that anybody saw cannot be told from what was lost.
    if (began.commit > this.#seenCommit) return;
    const chain = this.#lastChain();
    const what = `a branch from commit ${began.commit}`;
    if (began.commit > this.#began.commit && !chain.some(({ history }) => history === began.history)) {
      this.#violate(`${what} begins with a history that is not this database's`);
    }
    if (timeMs === undefined) return;
    const last = chain.find(({ history }) => this.#times.of(history) <= timeMs)?.number ?? this.#began.commit;
    // What was not durable yet when the branch was asked for may be missing.
    const least = this.#readsCount ? Math.min(last, call.seenCommit) : 0;
    if (began.commit > last || began.commit < least) {
      this.#violate(`${what} was asked for at ${timeMs}, when commit ${last} was the last (at least ${least})`);
    }
  }

  /** The commits of the history that clients saw last, the last one first, down to where a branch began. */
  #lastChain(): { number: number; history: string; markers: readonly string[] }[] {
    const chain = [];
    for (let history = this.#histories.get(this.#seenCommit); history !== undefined;) {
      const commit = this.#commits.get(history);
      if (!commit) break;
      chain.push({ number: commit.number, history, markers: commit.markers });
      history = commit.previous;
    }
    return chain;
  }

  /** In which commit of the history that clients saw last each operation took effect, or was answered. */
  #ranks(): (entry: TransactionEntry) => number {
    const commits = new Map<string, number>();
    for (const { number, markers } of this.#lastChain()) for (const marker of markers) commits.set(marker, number);
    return ({ operation, returned }) => {
      for (const one of operation.operations) {
        const commit = operation.isCommitted ? commits.get(markerOf(one) ?? '') : undefined;
        if (commit !== undefined) return commit;
      }
      return returned === undefined ? Infinity : (this.#seenAt.get(returned) ?? 0) + 0.5;
    };
  }

  #assertHistory({ commit, history }: CommittedState, who: string): void {
    const known = this.#histories.get(commit);
    if (known === undefined) this.#histories.set(commit, history);
    else if (known !== history) this.#violate(`${who} two histories that both end in commit ${commit}`);
  }

  #violate(what: string): void {
    this.#world.violate(`database ${this.name} (${this.id.slice(0, 8)}): ${what}`);
  }
}
