/** A small world for one scripted schedule: a few nodes over faultless stores, one database, and hands to hold things up. */
import type { DatabaseHistory } from '../check/database-history.js';
import { Network } from '../network/network.js';
import { Cluster } from '../node/cluster.js';
import { smallSettings, type SimulatedNodeSettings } from '../node/node-settings.js';
import type { SimulatedNode } from '../node/simulated-node.js';
import { s3Express, s3Standard } from '../store/store-profile.js';
import type { StoreRequest } from '../store/store-link.js';
import { Client } from '../workload/client.js';
import { Population } from '../workload/population.js';
import { runAlone, type Done } from '../workload/transactions.js';
import { World } from '../world/world.js';

type Matches = (request: StoreRequest) => boolean;

interface Interception {
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
  readonly settings?: Partial<SimulatedNodeSettings>;
}

export class Stage {
  readonly world: World;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly population: Population;
  readonly #interceptions: Interception[] = [];
  #clients = 0;

  constructor({ seed = 1, nodes = 3, settings = {} }: StageOptions = {}) {
    this.world = new World(seed);
    this.population = new Population(this.world);
    this.network = new Network(this.world, { medianMs: 0.5, lostRequestPercent: 0, lostAnswerPercent: 0 });
    this.cluster = new Cluster({
      world: this.world,
      network: this.network,
      dataProfile: s3Standard,
      logProfile: s3Express,
      // Large enough that nothing folds unless a scenario wants it.
      settings: { ...smallSettings, policy: { ...smallSettings.policy, foldFragments: 1_000 }, ...settings },
      size: nodes,
      hasWildClocks: false,
      observer: {
        opened: (id, commit, history) => this.population.byId(id).opened(commit, history),
        committed: (id, commit, markers) => this.population.byId(id).committed(commit, markers),
      },
      onStoreRequest: (request) => {
        const interception = this.#interceptions.find(({ matches }) => matches(request));
        if (!interception) return 'sent';
        interception.met(request);
        return interception.order;
      },
    });
  }

  /** `targets`: the nodes that it sends to; by default those that the load balancer chooses. */
  client(targets: () => readonly SimulatedNode[] = () => this.cluster.targets): Client {
    return new Client({
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

  /** Holds up the requests that match, until `release`. */
  hold(matches: Matches): Held {
    let release = (): void => undefined;
    let met: (request: StoreRequest) => void = () => undefined;
    const caught = new Promise<StoreRequest>((resolve) => (met = resolve));
    const order = new Promise<void>((resolve) => (release = resolve));
    const interception = { matches, order, met };
    this.#interceptions.push(interception);
    return {
      caught,
      release: () => {
        this.#interceptions.splice(this.#interceptions.indexOf(interception), 1);
        release();
      },
    };
  }

  /** The next request that matches takes effect, and its answer is lost. Resolves when that has happened. */
  async loseAnswer(matches: Matches): Promise<StoreRequest> {
    return new Promise((resolve) => {
      const interception: Interception = {
        matches,
        order: 'unanswered',
        met: (request) => {
          this.#interceptions.splice(this.#interceptions.indexOf(interception), 1);
          resolve(request);
        },
      };
      this.#interceptions.push(interception);
    });
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

  async tryToWrite(client: Client, database: DatabaseHistory): Promise<Done> {
    return runAlone(client, database, { op: 'append', key: 'l0', value: client.uniqueValue() });
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

  exists(prefix: string): boolean {
    return this.cluster.dataStore.contents.list(prefix, { limit: 1 }).keys.length > 0;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.world.sleep(5);
  }
}
