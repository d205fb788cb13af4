/** The nodes of a run over their stores, and whoever starts new ones when some have died. */
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { zoneNames } from '@turso-byoc/data-plane/node/node-stores.js';
import { isAlarming } from '../check/answer-rules.js';
import type { EngineObserver } from '../engine/model-process.js';
import type { Network } from '../network/network.js';
import { MemoryStore } from '../store/memory-store.js';
import type { StoreProfile } from '../store/store-profile.js';
import { StoreLink, type OnStoreRequest, type SimulatedStore } from '../store/store-link.js';
import { StoreWeather } from '../store/store-weather.js';
import { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import type { SimulatedNodeSettings } from './node-settings.js';
import { KeyServiceState } from './simulated-keys.js';
import { SimulatedNode } from './simulated-node.js';

export interface ClusterOptions {
  readonly world: World;
  readonly network: Network;
  readonly dataProfile: StoreProfile;
  readonly logProfile: StoreProfile;
  /** Whether the log is kept in three zones. @default false */
  readonly hasZones?: boolean;
  readonly settings: SimulatedNodeSettings;
  /** How many nodes there should be. */
  readonly size: number;
  /** Some nodes have clocks so slow that they believe in leases which are long over. */
  readonly hasWildClocks: boolean;
  readonly observer: EngineObserver;
  readonly onStoreRequest: OnStoreRequest;
}

/** Any two wall clocks are at most this far apart. */
export const clockSpreadMs = 5_000;
/** How long the load balancer sends requests to a node that does not answer its health checks. */
const healthCheckMs = 10_000;

export class Cluster {
  readonly dataStore: SimulatedStore;
  /** One, or the three zones. */
  readonly logStores: readonly SimulatedStore[];
  readonly keyService = new KeyServiceState();
  /** Every machine that ever ran a node. */
  readonly machines: Machine[] = [];
  readonly #options: ClusterOptions;
  readonly #random: Random;
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #crashes = new Map<Machine, { left: number; readonly afterSending: boolean }>();
  readonly #wild: Machine[] = [];
  #starting = 0;
  #isHealed = false;
  #size: number;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = options.world.random.fork();
    this.#size = options.size;
    const store = (name: string, profile: StoreProfile): SimulatedStore => ({
      contents: new MemoryStore(name),
      profile,
      weather: new StoreWeather(),
    });
    this.dataStore = store('data', options.dataProfile);
    this.logStores = (options.hasZones ? zoneNames : ['log']).map((name) => store(name, options.logProfile));
  }

  get stores(): readonly SimulatedStore[] {
    return [this.dataStore, ...this.logStores];
  }

  /** Nodes that run, frozen ones included. */
  get alive(): SimulatedNode[] {
    return [...this.#nodes.values()].filter(({ machine }) => machine.isAlive);
  }

  /** Nodes that the load balancer sends requests to: it does not notice at once that one is not well. */
  get targets(): SimulatedNode[] {
    const staying = this.alive.filter(({ isLeaving }) => !isLeaving);
    const ready = staying.filter((node) =>
      // A process that stands still answers no health check; it takes some of these until that counts.
      node.machine.isFrozen ? node.machine.frozenForMs < healthCheckMs : node.isReady,
    );
    return ready.length > 0 && this.#random.chance(95) ? ready : staying;
  }

  /** What the clock that is farthest ahead shows, those of machines that died included. */
  get latestClockMs(): number {
    return Math.max(...this.machines.map((machine) => machine.nowMs()));
  }

  get size(): number {
    return this.#size;
  }

  /** From now on there should be `size` nodes; missing ones are started, surplus ones stay until they are stopped. */
  resize(size: number): void {
    this.#size = size;
    this.#replaceMissing();
  }

  /** Starts the first nodes; resolves when all serve. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#size }, async () => this.startNode()));
  }

  /** Starts a node, again and again until one serves. */
  async startNode(): Promise<SimulatedNode> {
    const { world } = this.#options;
    this.#starting += 1;
    for (;;) {
      const node = await this.#start();
      if (node) {
        this.#starting -= 1;
        node.machine.onDeath(() => world.schedule(this.#random.between(200, 3_000), () => this.#replaceMissing()));
        return node;
      }
      await world.sleep(this.#random.between(100, 1_000));
    }
  }

  /** `machine` dies at its `count`-th request to a store from now. `afterSending`: the request leaves first. */
  crashAtRequest(machine: Machine, count: number, afterSending: boolean): void {
    this.#crashes.set(machine, { left: count, afterSending });
  }

  /** Everything works from now on, but for stores that are lost, and at least one node serves. */
  async heal(): Promise<void> {
    for (const { weather } of this.stores) weather.heal();
    this.keyService.isDown = false;
    this.#crashes.clear();
    this.#isHealed = true;
    for (const machine of this.#wild) machine.die('its clocks are wild');
    for (const machine of this.machines) machine.thaw();
    if (this.alive.every(({ isLeaving }) => isLeaving)) await this.startNode();
  }

  #replaceMissing(): void {
    const staying = this.alive.filter(({ isLeaving }) => !isLeaving).length;
    for (let missing = this.#size - staying - this.#starting; missing > 0; missing--) void this.startNode();
  }

  /** Resolves with undefined when the node did not start, or died while it did. */
  async #start(): Promise<SimulatedNode | undefined> {
    const { world, network, settings, observer } = this.#options;
    const isWild = this.#options.hasWildClocks && !this.#isHealed && this.#random.chance(60);
    const machine = new Machine(world, `n${this.machines.length}`, {
      wallAheadMs: this.#random.between(-clockSpreadMs / 2, clockSpreadMs / 2),
      rate: isWild ? 0.05 + 0.2 * this.#random.fraction() : 1 + (this.#random.fraction() - 0.5) / 1_000,
    });
    this.machines.push(machine);
    if (isWild) this.#wild.push(machine);
    machine.note(`starts${isWild ? ' with wild clocks' : ''}`);
    const onStoreRequest: OnStoreRequest = (request) => {
      const crash = this.#crashes.get(machine);
      if (crash && --crash.left === 0) {
        machine.die(`crash at ${request.store} ${request.operation} ${request.key}`);
        if (!crash.afterSending) return 'lost';
      }
      return this.#options.onStoreRequest(request);
    };
    const starting = SimulatedNode.start({
      world,
      machine,
      network,
      dataStore: new StoreLink(world, machine, this.dataStore, onStoreRequest),
      logStores: new Map<string, ObjectStore>(
        this.logStores.map((store) => [store.contents.name, new StoreLink(world, machine, store, onStoreRequest)]),
      ),
      keyService: this.keyService,
      settings,
      nodeAt: (host) => this.#nodes.get(host),
      observer,
      onReport: (event, fields) => {
        if (!machine.isAlive) return;
        machine.note(`reports ${event} ${JSON.stringify(fields)}`);
        if (isAlarming(event, fields)) world.violate(`a node reports ${event}: ${JSON.stringify(fields)}`);
      },
    }).then(async (node) => {
      this.#nodes.set(machine.name, node);
      await node.announce();
      return node;
    });
    return new Promise((resolve) => {
      machine.onDeath(() => resolve(undefined));
      starting.then(
        (node) => {
          machine.note(`serves as ${node.epoch.slice(0, 8)}`);
          resolve(node);
        },
        (error: unknown) => {
          machine.note(`does not start: ${String(error)}`);
          machine.die('it could not start');
          resolve(undefined);
        },
      );
    });
  }
}
