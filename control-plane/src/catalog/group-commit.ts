/**
 * Group commit: transactions that are asked for at the same time go to the catalog as one. A commit of the catalog costs a
 * request, an fsync and a place in the log whatever is in it, so that many small ones side by side cost little more than one.
 *
 * What a caller sees is what it would see alone. Transactions of a group run one after the other in the order in which they
 * were asked for, each sees those before it, and all are durable before anyone has an answer. When a group is refused, none of
 * it took effect, and each runs by itself: a transaction that fails takes no other with it.
 */
import type { InStatement, ResultSet } from '@libsql/client';
import { Gathered } from '../gathered.js';

export interface GroupCommitOptions {
  /** Runs statements in one transaction; `askedAtMs`: when the first of them was asked for, in milliseconds since 1970. */
  readonly run: (statements: InStatement[], askedAtMs: number) => Promise<ResultSet[]>;
  /** Whether an error means that the catalog could not be reached: what fails so is not tried one by one. */
  readonly isUnreachable: (error: unknown) => boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

interface Transaction {
  readonly statements: readonly InStatement[];
  readonly askedAtMs: number;
}

type Outcome = PromiseSettledResult<ResultSet[]>;

/** One is on its way to the catalog while the other waits to be durable. */
const maxUnderWay = 2;
const maxStatements = 300;

export class GroupCommit {
  readonly #gathered: Gathered<Transaction, ResultSet[]>;

  constructor(private readonly options: GroupCommitOptions) {
    this.#gathered = new Gathered({
      run: async (group) => this.#commit(group),
      maxUnderWay,
      maxWeight: maxStatements,
      weightOf: ({ statements }) => statements.length,
    });
  }

  /** Runs statements in a transaction; returns their results, in order. Throws what the catalog answers. */
  async add(statements: readonly InStatement[]): Promise<ResultSet[]> {
    return this.#gathered.add({ statements, askedAtMs: this.options.nowMs() });
  }

  async #commit(group: readonly Transaction[]): Promise<Outcome[]> {
    let results: ResultSet[];
    try {
      results = await this.options.run(
        group.flatMap(({ statements }) => statements),
        Math.min(...group.map(({ askedAtMs }) => askedAtMs)),
      );
    } catch (reason) {
      if (group.length === 1 || this.options.isUnreachable(reason)) {
        return group.map(() => ({ status: 'rejected', reason }));
      }
      const outcomes: Outcome[] = [];
      for (const transaction of group) outcomes.push(...(await this.#commit([transaction])));
      return outcomes;
    }
    let at = 0;
    return group.map(({ statements }) => {
      const value = results.slice(at, at + statements.length);
      at += statements.length;
      return { status: 'fulfilled', value };
    });
  }
}
