/** The databases of a run and the clients that use, create and delete them. */
import { isByocError, type ErrorCode } from '@turso-byoc/data-plane/errors/catalogue.js';
import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { failureOf } from '../check/answer-rules.js';
import { DatabaseHistory, type CommittedState } from '../check/database-history.js';
import type { EngineObserver } from '../engine/model-process.js';
import type { ModelResult } from '../engine/model-protocol.js';
import { clockSpreadMs } from '../node/cluster.js';
import { organization } from '../node/simulated-node.js';
import type { World } from '../world/world.js';
import { openAccounts } from './accounts.js';
import { actSomehow } from './activity.js';
import type { Client } from './client.js';
import { runAlone } from './transactions.js';

const group = { id: 'group', name: 'default' };
/** What the keys of all data begin with. */
const prefixes = ['a', 'f', 'l', 'r'] as const;

export class Population {
  /** Every database that ever was, also deleted ones. */
  readonly databases: DatabaseHistory[] = [];
  readonly #world: World;
  readonly #numbers = { next: 1 };
  /** The database that has each name now. */
  readonly #named = new Map<string, DatabaseHistory>();
  answered = 0;
  unanswered = 0;
  unknown = 0;
  branched = 0;
  rekeyed = 0;
  /** Branches that could not be made, for a good reason. */
  refused = 0;

  #readsCount = true;

  constructor(world: World) {
    this.#world = world;
  }

  /** What engines are watched with. */
  get observer(): EngineObserver {
    return {
      line: (id) => this.byId(id).line,
      opened: (id, commit, history) => this.byId(id).opened(commit, history),
      committed: (id, commit, markers) => this.byId(id).committed(commit, markers),
      handed: (id, history, nowMs) => this.byId(id).handed(history, nowMs),
    };
  }

  /** Throws when there never was such a database. */
  byId(id: string): DatabaseHistory {
    const found = this.databases.find((database) => database.id === id);
    if (!found) throw new Error(`there never was a database ${id}`);
    return found;
  }

  /** The database that has this name now. */
  named(name: string): DatabaseHistory | undefined {
    return this.#named.get(name);
  }

  get live(): DatabaseHistory[] {
    return this.databases.filter(({ stage }) => stage === 'live');
  }

  /** See `DatabaseHistory`: from now on, or no longer, answers to reads may be old. */
  setReadsCount(count: boolean): void {
    this.#readsCount = count;
    for (const database of this.databases) {
      if (count) database.countReads();
      else database.ignoreReads();
    }
  }

  /** Creates a database and its accounts, however often that has to be tried. */
  async create(client: Client, name: string): Promise<DatabaseHistory> {
    const history = this.#newHistory(client, name);
    const { id } = history;
    const earlier = this.#named.get(name);
    if (earlier) history.takesNameOf(earlier);
    this.#named.set(name, history);
    await this.#insist(client, async () =>
      client.call(async ({ databases }) => databases.create({ id, name, organization, group, engine: 'libsql' })),
    );
    history.stage = 'live';
    history.beganBeforeMs = client.machine.nowMs() + clockSpreadMs;
    for (;;) {
      const done = await openAccounts(client, history);
      if ('results' in done) return history;
      await client.sleep(100);
    }
  }

  /** Gives a database another data key, perhaps several, however often that has to be tried. */
  async rekey(client: Client, of: DatabaseHistory, dropHistory: boolean): Promise<void> {
    // Some time later there is no going back to what was before; nobody is told when.
    if (dropHistory) of.beganBeforeMs = Infinity;
    try {
      await this.#insist(
        client,
        async () =>
          client.call(async ({ databases }) => {
            const { currentKey } = await databases.encryption(of.id);
            await databases.rekey(of.id, { replaces: currentKey, dropHistory });
          }),
        ['DATABASE_NOT_FOUND'],
      );
      this.rekeyed += 1;
    } catch (error) {
      if (!isByocError(error)) throw error;
      if (of.stage === 'live') this.#world.violate(`database ${of.name} was not rekeyed: ${error.message}`);
    }
  }

  /**
   * Makes a branch of a database as it is now, or as it was at a time (milliseconds since 1970), however often that has to
   * be tried, and reads it. `isKept` tells whether the product promises that it still has that time. Undefined when the
   * branch is refused: the database is deleted, or its time is kept no more.
   */
  async branch(
    client: Client,
    of: DatabaseHistory,
    name: string,
    { timeMs, isKept = () => true }: { readonly timeMs?: number; readonly isKept?: () => boolean } = {},
  ): Promise<DatabaseHistory | undefined> {
    const history = this.#newHistory(client, name, of);
    const { id } = history;
    const branch = { parent: of.id, ...(timeMs !== undefined && { timeMs }) };
    const call = of.calls();
    try {
      await this.#insist(
        client,
        async () =>
          client.call(async ({ databases }) =>
            databases.create({ id, name, organization, group, engine: 'libsql', branch }),
          ),
        ['DATABASE_NOT_FOUND', 'RESTORE_POINT_NOT_FOUND'],
      );
    } catch (error) {
      if (!isByocError(error)) throw error;
      if (error.code === 'DATABASE_NOT_FOUND' ? of.stage === 'live' : isKept()) {
        this.#world.violate(`no branch of ${of.name} could be made: ${error.message}`);
      }
      this.refused += 1;
      history.stage = 'deleted';
      return undefined;
    }
    const returned = of.returns();
    history.stage = 'live';
    history.beganBeforeMs = client.machine.nowMs() + clockSpreadMs;
    const began = await this.#readBranch(client, history);
    of.wasBranched({ call, returned, began: began.state, ...(timeMs !== undefined && { timeMs }) }, began.reads);
    this.#named.set(name, history);
    this.branched += 1;
    return history;
  }

  /** Deletes the database that has this name and creates another one. */
  async replace(client: Client, name: string): Promise<void> {
    const old = this.#named.get(name);
    if (old?.stage !== 'live') return;
    old.stage = 'deleting';
    await this.#insist(client, async () => client.call(async ({ databases }) => databases.delete(old.id)));
    old.deleted();
    const found = await this.#insist(client, async () =>
      client.call(async ({ databases }) => databases.find(organization, name, { fresh: true })),
    );
    if (found) this.#world.violate(`${name} is found as ${found.id} after its deletion was confirmed`);
    const fresh = await this.create(client, name);
    const again = await this.#insist(client, async () =>
      client.call(async ({ databases }) => databases.find(organization, name, { fresh: true })),
    );
    if (again?.id !== fresh.id) this.#world.violate(`${name} is found as ${String(again?.id)}, not as ${fresh.id}`);
  }

  /** A client that works until `isOver`. */
  async work(client: Client, thinkMs: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const names = [...this.#named.values()].filter(({ stage }) => stage === 'live');
      if (names.length === 0) {
        await client.sleep(100);
        continue;
      }
      const done = await actSomehow(client, client.random.pick(names));
      if ('results' in done) this.answered += 1;
      else if (done.kind === 'unknown') this.unknown += 1;
      else this.unanswered += 1;
      const backoffMs = 'results' in done ? 0 : 100;
      await client.sleep(backoffMs + client.random.below(2 * thinkMs));
    }
  }

  /** Reads everything once more. Every database must answer before `deadlineMs`. */
  async readAll(client: Client, deadlineMs: number): Promise<void> {
    for (const history of this.live) {
      for (const prefix of prefixes) {
        for (;;) {
          const done = await runAlone(client, history, { op: 'all', prefix });
          if ('results' in done) break;
          if (this.#world.nowMs > deadlineMs) {
            const why = 'why' in done ? done.why : done.kind;
            this.#world.violate(`database ${history.name} does not answer though everything is well again: ${why}`);
            return;
          }
          await client.sleep(200);
        }
      }
    }
  }

  #newHistory(client: Client, name: string, origin?: DatabaseHistory): DatabaseHistory {
    const id = newDatabaseId('libsql', client.machine.nowMs(), (count) => client.random.bytes(count));
    const history = new DatabaseHistory(this.#world, this.#numbers, id, name, origin);
    if (!this.#readsCount) history.ignoreReads();
    this.databases.push(history);
    return history;
  }

  /** Reads everything in a branch that nobody has written to. */
  async #readBranch(
    client: Client,
    history: DatabaseHistory,
  ): Promise<{ state: CommittedState; reads: [string, ModelResult][] }> {
    const operations = prefixes.map((prefix) => ({ op: 'all' as const, prefix }));
    for (;;) {
      const outcome = await client.request(history, history.calls(), { baton: null, operations, close: true });
      if (outcome.kind === 'answered') {
        const { seen, results } = outcome.answer;
        const reads = prefixes.map((prefix, index): [string, ModelResult] => [
          prefix,
          results[index] ?? { error: 'BLOCKED' },
        ]);
        const values = reads.flatMap(([, result]) =>
          'value' in result && Array.isArray(result.value) ? result.value : [],
        );
        history.began(seen, new Map(values as [string, string][]));
        return { state: seen, reads };
      }
      await client.sleep(100 + client.random.below(200));
    }
  }

  /** Tries until it succeeds, or throws one of `refusals`. */
  async #insist<T>(client: Client, work: () => Promise<T>, refusals: readonly ErrorCode[] = []): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (isByocError(error) && refusals.includes(error.code)) throw error;
        if (!failureOf(error)) this.#world.violate(`a client was told ${String(error)}`);
        await client.sleep(100 + client.random.below(200));
      }
    }
  }
}
