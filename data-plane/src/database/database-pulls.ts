/** The pulls of one open database: how many of them may do what at the same time, and who waits for something new. */
import { ByocError } from '../errors/catalogue.js';
import type { PullRequest } from '../sync/pull-request.js';
import { onAbort } from './abort-listeners.js';
import { isDamage } from './carry-fragments.js';
import { CommitWaiters, type WaitEnd } from './commit-waiters.js';
import type { DatabaseRequest } from './database-service.js';
import type { DurabilityGate } from './durability-gate.js';
import { meteredParts } from './metered-parts.js';
import type { NodeContext } from './node-context.js';
import { preparePull, type PreparedPull } from './pull-updates.js';
import type { OwnedDatabase } from './ready-database.js';
import { onStreamEnd } from './stream-end.js';

export interface PullLimits {
  /** Pulls of one database whose pages are being found; others wait for their turn. */
  readonly maxPreparing: number;
  /** Those that wait for it. */
  readonly maxQueued: number;
  /** Pulls of one database whose answers are being read by their clients. */
  readonly maxSending: number;
  /** Clients that wait for a change of one database. */
  readonly maxWaiting: number;
  /**
   * How long a client may wait for a change, whatever it asks for: shorter than a node that stops goes on to answer what
   * it took, and than load balancers keep silent connections.
   */
  readonly maxWaitMs: number;
}

export const pullLimits: PullLimits = {
  maxPreparing: 4,
  maxQueued: 1_000,
  maxSending: 128,
  maxWaiting: 1_000,
  maxWaitMs: 20_000,
};

/** How often a fold may come between while the pages of a pull are being found. */
const maxRounds = 4;

export interface PulledDatabase {
  readonly owned: () => OwnedDatabase;
  readonly gate: DurabilityGate;
  readonly defunct: () => ByocError | undefined;
  /** So many bytes went to a client that replicates the database. */
  readonly onSynced: (bytes: number) => void;
  /** Root pages of the b-trees that a query opens, asked for by a request. Throws what is wrong with the query. */
  readonly rootsOf: (query: string, request: DatabaseRequest) => Promise<readonly number[]>;
}

export class DatabasePulls {
  readonly #context: NodeContext;
  readonly #database: PulledDatabase;
  readonly #limits: PullLimits;
  readonly #waiters: CommitWaiters;
  #preparing = 0;
  readonly #queue: (() => void)[] = [];
  #sending = 0;

  constructor(context: NodeContext, database: PulledDatabase, limits = pullLimits) {
    this.#context = context;
    this.#database = database;
    this.#limits = limits;
    this.#waiters = new CommitWaiters(context.runtime, limits.maxWaiting);
  }

  /**
   * Finds what a pull is answered with. Its body is to be taken to its end or left; it ends by itself when the client goes
   * away, and `ended` is called once when it has. Throws as `preparePull` does, `OVERLOADED`, and what the gate throws.
   */
  async prepare(pull: PullRequest, request: DatabaseRequest, ended: () => void): Promise<PreparedPull> {
    if (this.#sending >= this.#limits.maxSending) {
      throw new ByocError('OVERLOADED', `${this.#limits.maxSending} clients read pages of this database already`);
    }
    await this.#turn();
    try {
      const prepared = await this.#prepared(pull, request);
      try {
        await this.#database.gate.wait(prepared.commit);
      } catch (error) {
        await prepared.body.return?.();
        throw error;
      }
      return this.#counted(prepared, request.signal, ended);
    } finally {
      // Whoever waits longest takes the turn over.
      const next = this.#queue.shift();
      if (next) next();
      else this.#preparing -= 1;
    }
  }

  /** Resolves when there is a commit after `commit`, or when there is nothing to wait for any more. Throws `OVERLOADED`. */
  async wait(commit: number, timeoutMs: number, signal: AbortSignal): Promise<WaitEnd> {
    if (this.#database.gate.durable > commit) return 'newer';
    return this.#waiters.wait(commit, timeoutMs, signal);
  }

  /** There is this commit, and it is durable. */
  advance(commit: number): void {
    this.#waiters.advance(commit);
  }

  /** Whoever waits is told that nothing came: the database is leaving. */
  endWaits(): void {
    this.#waiters.end();
  }

  async #turn(): Promise<void> {
    if (this.#preparing < this.#limits.maxPreparing) {
      this.#preparing += 1;
      return;
    }
    if (this.#queue.length >= this.#limits.maxQueued) {
      throw new ByocError('OVERLOADED', `${this.#limits.maxQueued} pulls of this database wait for their turn already`);
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  async #prepared(pull: PullRequest, request: DatabaseRequest): Promise<PreparedPull> {
    const rootsOf = async (query: string): Promise<readonly number[]> => this.#database.rootsOf(query, request);
    for (let round = 1; ; round++) {
      const defunct = this.#database.defunct();
      if (defunct) throw defunct;
      const owned = this.#database.owned();
      try {
        return await preparePull(this.#context, owned, pull, rootsOf);
      } catch (error) {
        // What is wiped or gone follows from that.
        const reason = this.#database.defunct();
        if (reason) throw reason;
        const isOutdated = this.#database.owned().owned.manifest.version !== owned.owned.manifest.version;
        if (!isDamage(error) || !isOutdated || round >= maxRounds) throw error;
      }
    }
  }

  /** Counts it as being sent until it is over, and ends it when nobody is there to read it. */
  #counted(prepared: PreparedPull, signal: AbortSignal, ended: () => void): PreparedPull {
    this.#sending += 1;
    const unlisten = onAbort(signal, () => void body.return?.().catch(() => undefined));
    const body = onStreamEnd(meteredParts(prepared.body, this.#database.onSynced), () => {
      this.#sending -= 1;
      unlisten();
      ended();
    });
    return { ...prepared, body };
  }
}
