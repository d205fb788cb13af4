/**
 * A fleet under virtual time: the product's own nodes, its log in three zones, its claims and its recovery; engines, stores
 * and network are the simulator's. The databases that are open are there one by one; the others are objects that nobody
 * asks for, and cause no request. Then a zone is lost, its nodes and its store of the log at once, while every client of
 * every open database sends what it has to send at the same moment.
 */
import { newDatabaseId, type DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { logMaintenance } from '@turso-byoc/data-plane/node/limits.js';
import { failureOf } from '../simulator/check/answer-rules.js';
import { encodeRequest, type ModelAnswer, type ModelOperation } from '../simulator/engine/model-protocol.js';
import { NoAnswerError, Network } from '../simulator/network/network.js';
import { Cluster } from '../simulator/node/cluster.js';
import { smallSettings } from '../simulator/node/node-settings.js';
import { organization, type SimulatedNode } from '../simulator/node/simulated-node.js';
import { s3Express, s3Standard } from '../simulator/store/store-profile.js';
import { Machine } from '../simulator/world/machine.js';
import { World } from '../simulator/world/world.js';
import { openDatabases, writesPerOpenDatabaseAndMinute, zones, type Fleet } from './fleets.js';
import { RequestMeter, type PrefixLoad } from './request-meter.js';

export interface FleetRunResult {
  readonly nodes: number;
  /** Databases that were there one by one: as many as the fleet has open, or a part of them that writes as much as all. */
  readonly simulatedDatabases: number;
  readonly steadySeconds: number;
  readonly steadyCommits: number;
  readonly steady: readonly PrefixLoad[];
  readonly loss: ZoneLoss;
  /** Databases that did not hold what was acknowledged: must be none. */
  readonly lost: number;
}

export interface ZoneLoss {
  readonly lostNodes: number;
  /** Databases whose node was lost, and those whose node stayed: until each has acknowledged a write again. */
  readonly moved: Latencies;
  readonly stayed: Latencies;
  /** What the stores were asked from the loss until every database had answered. */
  readonly load: readonly PrefixLoad[];
}

export interface Latencies {
  readonly databases: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface OpenDatabase {
  readonly id: DatabaseId;
  readonly name: string;
  sent: number;
  acknowledged: number;
}

const group = { id: 'group', name: 'default' };
const retryMs = 100;
const createdAtOnce = 500;

export interface FleetRunOptions {
  readonly seed: number;
  readonly steadySeconds: number;
  /** No more databases than that are there; they write as often as all that are open would. */
  readonly mostDatabases: number;
  readonly onProgress: (line: string) => void;
}

/** Throws when something is reported that must never be. */
export async function fleetRun(fleet: Fleet, options: FleetRunOptions): Promise<FleetRunResult> {
  const world = new World(options.seed);
  const result = await world.run(new FleetRun(world, fleet, options).run(), 86_400_000);
  if (world.violations.length > 0) throw new Error(world.violations.slice(0, 5).join('\n'));
  return result;
}

class FleetRun {
  readonly #meter: RequestMeter;
  readonly #network: Network;
  readonly #cluster: Cluster;
  readonly #client: Machine;
  readonly #databases: OpenDatabase[] = [];
  #ready: readonly SimulatedNode[] = [];

  constructor(
    private readonly world: World,
    private readonly fleet: Fleet,
    private readonly options: FleetRunOptions,
  ) {
    this.#meter = new RequestMeter(world.nowMs);
    this.#network = new Network(world, { medianMs: 0.5, lostRequestPercent: 0, lostAnswerPercent: 0 });
    this.#client = new Machine(world, 'clients');
    this.#cluster = new Cluster({
      world,
      network: this.#network,
      dataProfile: s3Standard,
      logProfile: s3Express,
      hasZones: true,
      size: fleet.nodes,
      hasWildClocks: false,
      settings: {
        ...smallSettings,
        commitWindowMs: 10,
        // As in a real node, where the simulator's own runs want everything to happen soon.
        policy: {
          ...smallSettings.policy,
          idleCloseMs: 600_000,
          foldMinBytes: 2 ** 20,
          foldMaxBytes: 2 ** 26,
          foldFragments: 256,
        },
        maxOpenDatabases: 10_000,
        routeTimeoutMs: 15_000,
        logMaintenance,
      },
      observer: { line: (id) => [id], opened: () => undefined, committed: () => undefined },
      onStoreRequest: (request) => {
        this.#meter.count(request, world.nowMs);
        return 'sent';
      },
    });
  }

  async run(): Promise<FleetRunResult> {
    const { fleet, options, world } = this;
    await this.#cluster.start();
    this.#refresh();
    await this.#createAll(Math.min(openDatabases(fleet), options.mostDatabases));
    options.onProgress(`${this.#databases.length} databases on ${fleet.nodes} nodes`);
    this.#meter.read(world.nowMs);
    const steadyCommits = await this.#workFor(options.steadySeconds * 1_000);
    const steady = this.#meter.read(world.nowMs);
    options.onProgress(`${steadyCommits} commits in ${options.steadySeconds} s; now a zone is lost`);
    const loss = await this.#loseZone();
    options.onProgress(`all have answered again after ${Math.round(Math.max(loss.moved.maxMs, loss.stayed.maxMs))} ms`);
    const lost = await this.#countLost();
    return {
      nodes: fleet.nodes,
      simulatedDatabases: this.#databases.length,
      steadySeconds: options.steadySeconds,
      steadyCommits,
      steady,
      loss,
      lost,
    };
  }

  async #createAll(count: number): Promise<void> {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < count) {
        const number = next++;
        const id = newDatabaseId('libsql', this.world.nowMs, (bytes) => this.world.random.bytes(bytes));
        const database: OpenDatabase = { id, name: `db${number}`, sent: 0, acknowledged: 0 };
        await this.#insist(async (node) =>
          node.databases.create({ id, name: database.name, organization, group, engine: 'libsql' }),
        );
        await this.#write(database);
        this.#databases.push(database);
      }
    };
    await Promise.all(Array.from({ length: createdAtOnce }, one));
  }

  /** Every database is written at its own moments for `ms`; returns how many commits were acknowledged. */
  async #workFor(ms: number): Promise<number> {
    const { world } = this;
    const untilMs = world.nowMs + ms;
    const part = this.#databases.length / openDatabases(this.fleet);
    const meanMs = (60_000 / writesPerOpenDatabaseAndMinute) * part;
    let commits = 0;
    const work = async (database: OpenDatabase): Promise<void> => {
      for (;;) {
        const pauseMs = -Math.log(1 - world.random.fraction()) * meanMs;
        await world.sleep(Math.min(pauseMs, untilMs - world.nowMs));
        if (world.nowMs >= untilMs) return;
        await this.#write(database);
        commits += 1;
      }
    };
    await Promise.all(this.#databases.map(work));
    return commits;
  }

  async #loseZone(): Promise<ZoneLoss> {
    const { world } = this;
    const nodes = this.#cluster.alive;
    const gone = nodes.filter((_, index) => index % zones === 0);
    const owners = this.#owners();
    const goneEpochs = new Set(gone.map(({ epoch }) => epoch));
    const startedMs = world.nowMs;
    this.#meter.read(startedMs);
    this.#cluster.resize(nodes.length - gone.length);
    for (const { machine } of gone) machine.die('its zone is lost');
    const [zone] = this.#cluster.logStores;
    if (zone) {
      zone.weather.isDown = true;
      zone.weather.isLost = true;
    }
    const [moved, stayed]: [number[], number[]] = [[], []];
    await Promise.all(
      this.#databases.map(async (database) => {
        await this.#write(database);
        const tookMs = world.nowMs - startedMs;
        (goneEpochs.has(owners.get(database.id) ?? '') ? moved : stayed).push(tookMs);
      }),
    );
    return {
      lostNodes: gone.length,
      moved: latencies(moved),
      stayed: latencies(stayed),
      load: this.#meter.read(world.nowMs),
    };
  }

  /** The owner of every database, as its manifest says. */
  #owners(): Map<string, string> {
    const { contents } = this.#cluster.dataStore;
    const owners = new Map<string, string>();
    for (let after: string | undefined = ''; after !== undefined;) {
      const page = contents.list('manifests/', { after, limit: 10_000 });
      for (const key of page.keys) {
        const body = contents.get(key)?.body.toString('utf8') ?? '';
        const { id, owner } = JSON.parse(body.slice(body.indexOf('\n') + 1)) as { id: string; owner?: string };
        if (owner !== undefined) owners.set(id, owner);
      }
      after = page.next;
    }
    return owners;
  }

  async #countLost(): Promise<number> {
    const held = await Promise.all(
      this.#databases.map(async (database) => {
        const value = await this.#insist(async (node) => this.#ask(node, database, { op: 'get', key: 'n' }));
        const found = typeof value === 'string' ? Number(value) : 0;
        return found >= database.acknowledged && found <= database.sent;
      }),
    );
    return held.filter((holds) => !holds).length;
  }

  async #write(database: OpenDatabase): Promise<void> {
    const value = ++database.sent;
    await this.#insist(async (node) => this.#ask(node, database, { op: 'set', key: 'n', value: String(value) }));
    database.acknowledged = Math.max(database.acknowledged, value);
  }

  async #ask(node: SimulatedNode, { name }: OpenDatabase, operation: ModelOperation): Promise<unknown> {
    const { body } = await node.sql({
      kind: 'v2-pipeline',
      readOnly: operation.op === 'get',
      body: encodeRequest({ baton: null, operations: [operation], close: true }),
      signal: new AbortController().signal,
      admission: { label: name, authorization: '' },
      isForwarded: false,
    });
    if (!Buffer.isBuffer(body)) throw new Error('the model engine answers in one part');
    const [result] = (JSON.parse(body.toString()) as ModelAnswer).results;
    if (!result || 'error' in result) throw new Error(`the model engine refuses: ${JSON.stringify(result)}`);
    return result.value;
  }

  /** Asks one node after the other, as a client behind a load balancer does, until one has done it. */
  async #insist<T>(perform: (node: SimulatedNode) => Promise<T>): Promise<T> {
    for (;;) {
      const node = this.world.random.pick(this.#ready);
      if (!node.machine.isAlive) {
        this.#refresh();
        continue;
      }
      try {
        const patience = { timeoutMs: 20_000, connectTimeoutMs: 1_000 };
        return await this.#network.call(this.#client, node.machine, patience, async () => perform(node));
      } catch (error) {
        if (!(error instanceof NoAnswerError) && !failureOf(error)) throw error;
        await this.world.sleep(retryMs * (0.5 + this.world.random.fraction()));
      }
    }
  }

  /** A load balancer stops sending to a node that is gone at once here: what it takes to notice comes on top. */
  #refresh(): void {
    this.#ready = this.#cluster.alive;
  }
}

function latencies(values: readonly number[]): Latencies {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (part: number): number => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
  return { databases: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
