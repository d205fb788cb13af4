/** A small world for one scripted schedule: a few nodes over faultless stores, one database, and hands to hold things up. */
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { DatabaseHistory } from '../check/database-history.js';
import { Network } from '../network/network.js';
import { Cluster } from '../node/cluster.js';
import { smallSettings, type SimulatedNodeSettings } from '../node/node-settings.js';
import type { SimulatedNode } from '../node/simulated-node.js';
import { s3Express, s3Standard } from '../store/store-profile.js';
import type { SimulatedStore, StoreRequest } from '../store/store-link.js';
import { Client } from '../workload/client.js';
import { Population } from '../workload/population.js';
import { runAlone, type Done } from '../workload/transactions.js';
import { World } from '../world/world.js';

type Matches = (request: StoreRequest) => boolean;

interface Interception {
  readonly isOnce?: true;
  readonly matches: Matches;
  readonly order: 'unanswered' | Promise<void>;
  readonly met: (request: StoreRequest) => void;
}

/** A request that was held up. */
export interface Held {
  /** Resolves when a request has been caught. */
  readonly caught: Promise<StoreRequest>;
  /** Lets it go on; also those like it that came later. */
  release(): void;
}

export interface StageOptions {
  readonly seed?: number;
  readonly nodes?: number;
  /** Whether the log is kept in three zones. */
  readonly hasZones?: boolean;
  readonly settings?: Partial<SimulatedNodeSettings>;
  /** Called when a commit is about to come to its node, before the answer to the request that made it. */
  readonly onHanded?: () => void;
}

export class Stage {
  readonly world: World;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly population: Population;
  readonly #interceptions: Interception[] = [];
  #clients = 0;

  constructor({ seed = 1, nodes = 3, hasZones = false, settings = {}, onHanded }: StageOptions = {}) {
    this.world = new World(seed);
    this.population = new Population(this.world);
    this.network = new Network(this.world, { medianMs: 0.5, lostRequestPercent: 0, lostAnswerPercent: 0 });
    this.cluster = new Cluster({
      world: this.world,
      network: this.network,
      dataProfile: s3Standard,
      logProfile: s3Express,
      hasZones,
      // Large enough that nothing folds unless a scenario wants it.
      settings: { ...smallSettings, policy: { ...smallSettings.policy, foldFragments: 1_000 }, ...settings },
      size: nodes,
      hasWildClocks: false,
      observer: {
        ...this.population.observer,
        handed: (id, history, nowMs) => {
          this.population.byId(id).handed(history, nowMs);
          onHanded?.();
        },
      },
      onStoreRequest: (request) => {
        const interception = this.#interceptions.find(({ matches }) => matches(request));
        if (!interception) return 'sent';
        if (interception.isOnce) this.#forget(interception);
        interception.met(request);
        return interception.order;
      },
    });
  }

  /** `targets`: the nodes that it sends to; by default those that the load balancer chooses. */
  client(targets: () => readonly SimulatedNode[] = () => this.cluster.targets, patienceMs?: number): Client {
    return new Client({
      ...(patienceMs !== undefined && { patienceMs }),
      world: this.world,
      network: this.network,
      name: `c${this.#clients++}`,
      targets,
      historyOf: (id) => this.population.byId(id),
      named: (name) => this.population.named(name),
    });
  }

  /** Runs a schedule on a database `db0`; then everything heals, and what clients saw is checked. Returns what is wrong. */
  async play(schedule: (database: DatabaseHistory, client: Client) => Promise<void>): Promise<readonly string[]> {
    const play = async (): Promise<void> => {
      await this.cluster.start();
      const client = this.client();
      const database = await this.population.create(client, 'db0');
      await schedule(database, client);
      this.#interceptions.length = 0;
      await this.cluster.heal();
      await this.population.readAll(this.client(), this.world.nowMs + 60_000);
      for (const history of this.population.databases) history.check();
    };
    await this.world.run(play(), 600_000);
    return this.world.violations;
  }

  /** Holds up the next request that matches, until `release`; not those like it that come later. */
  holdNext(matches: Matches): Held {
    return this.#hold(matches, { isOnce: true });
  }

  /** Holds up the requests that match, until `release`. */
  hold(matches: Matches): Held {
    return this.#hold(matches, {});
  }

  #hold(matches: Matches, how: Pick<Interception, 'isOnce'>): Held {
    let release = (): void => undefined;
    let met: (request: StoreRequest) => void = () => undefined;
    const caught = new Promise<StoreRequest>((resolve) => (met = resolve));
    const order = new Promise<void>((resolve) => (release = resolve));
    const interception = { ...how, matches, order, met };
    this.#interceptions.push(interception);
    return {
      caught,
      release: () => {
        this.#forget(interception);
        release();
      },
    };
  }

  /** The next request that matches takes effect, and its answer is lost. Resolves when that has happened. */
  async loseAnswer(matches: Matches): Promise<StoreRequest> {
    return new Promise((resolve) => {
      this.#interceptions.push({ isOnce: true, matches, order: 'unanswered', met: resolve });
    });
  }

  #forget(interception: Interception): void {
    const at = this.#interceptions.indexOf(interception);
    if (at >= 0) this.#interceptions.splice(at, 1);
  }

  /** Appends until it has succeeded `times` times. */
  async write(client: Client, database: DatabaseHistory, times = 1): Promise<void> {
    for (let done = 0; done < times;) {
      const result = await this.tryToWrite(client, database);
      if ('results' in result) done += 1;
      else await client.sleep(50);
    }
  }

  async read(client: Client, database: DatabaseHistory): Promise<Done> {
    return runAlone(client, database, { op: 'get', key: 'l0' });
  }

  async tryToWrite(client: Client, database: DatabaseHistory, value = client.uniqueValue()): Promise<Done> {
    return runAlone(client, database, { op: 'append', key: 'l0', value });
  }

  /** What was appended, as it is read now; tried until it is answered. */
  async appended(client: Client, database: DatabaseHistory): Promise<string[]> {
    for (;;) {
      const done = await this.read(client, database);
      const [result] = 'results' in done ? done.results : [];
      if (result && 'value' in result) return typeof result.value === 'string' ? result.value.split(',') : [];
      await client.sleep(50);
    }
  }

  /** Collects a database's garbage, through whichever node may. */
  async collect({ id }: DatabaseHistory): Promise<void> {
    for (;;) {
      for (const { machine, databases } of this.cluster.alive) {
        if (machine.isFrozen) continue;
        try {
          await databases.collect(id);
          return;
        } catch (error) {
          if (!isByocError(error, 'DATABASE_MOVED', 'SHUTTING_DOWN')) throw error;
        }
      }
      await this.world.sleep(100);
    }
  }

  /** What a schedule is there to see. */
  expect(holds: boolean, what: string): void {
    if (!holds) this.world.violate(`the schedule did not go as it must: ${what}`);
  }

  /** The manifest of a database as it stands in the store. */
  manifest({ id }: DatabaseHistory): { owner?: string; term: number; generation?: { term: number; number: number } } {
    const { keys } = this.cluster.dataStore.contents.list('manifests/');
    const key = keys.find((candidate) => candidate.endsWith(id));
    const body = key === undefined ? undefined : this.cluster.dataStore.contents.get(key)?.body.toString('utf8');
    if (body === undefined) throw new Error(`database ${id} has no manifest`);
    return JSON.parse(body.slice(body.indexOf('\n') + 1)) as ReturnType<Stage['manifest']>;
  }

  /** The node that owns a database and lives. */
  owner(database: DatabaseHistory): SimulatedNode {
    const { owner } = this.manifest(database);
    const node = this.cluster.alive.find(({ epoch }) => epoch === owner);
    if (!node) throw new Error(`no living node owns ${database.name}`);
    return node;
  }

  /** The nodes that live, but for one. */
  others(node: SimulatedNode): SimulatedNode[] {
    return this.cluster.alive.filter((other) => other !== node);
  }

  /** Resolves when a node has died: nothing that was asked of it ends then. */
  async deathOf({ machine }: SimulatedNode): Promise<void> {
    return new Promise((resolve) => machine.onDeath(resolve));
  }

  /** One of the stores of the log. */
  logStore(name = 'log'): SimulatedStore {
    const found = this.cluster.logStores.find(({ contents }) => contents.name === name);
    if (!found) throw new Error(`there is no store ${name}`);
    return found;
  }

  exists(prefix: string): boolean {
    return this.cluster.dataStore.contents.list(prefix, { limit: 1 }).keys.length > 0;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.world.sleep(5);
  }
}
