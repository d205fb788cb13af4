/**
 * The nodes of a run. One of them serves at a time: the newest. Older ones may still run, stalled or not, and do what the
 * product lets them do.
 */
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { isAlarming } from '../check/answer-rules.js';
import { MemoryStore } from '../store/memory-store.js';
import type { StoreProfile } from '../store/store-profile.js';
import { StoreLink, type OnStoreRequest, type SimulatedStore } from '../store/store-link.js';
import { StoreWeather } from '../store/store-weather.js';
import type { Target } from '../workload/client.js';
import { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import type { SimulatedNodeSettings } from './node-settings.js';
import { KeyServiceState } from './simulated-keys.js';
import { SimulatedNode } from './simulated-node.js';

export interface ClusterOptions {
  readonly world: World;
  readonly dataProfile: StoreProfile;
  readonly logProfile: StoreProfile;
  readonly settings: SimulatedNodeSettings;
  readonly onOpened: (id: DatabaseId, commit: number, history: string) => void;
  readonly onStoreRequest: OnStoreRequest;
}

export class Cluster {
  readonly dataStore: SimulatedStore;
  readonly logStore: SimulatedStore;
  readonly keyService = new KeyServiceState();
  readonly machines: Machine[] = [];
  readonly #options: ClusterOptions;
  readonly #random: Random;
  #current: SimulatedNode | undefined;
  #attempt = 0;
  /** Which attempt to start a node led to the current one. */
  #currentAttempt = 0;
  readonly #crashes = new Map<Machine, { left: number; readonly afterSending: boolean }>();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = options.world.random.fork();
    const store = (name: string, profile: StoreProfile): SimulatedStore => ({
      contents: new MemoryStore(name),
      profile,
      weather: new StoreWeather(),
    });
    this.dataStore = store('data', options.dataProfile);
    this.logStore = store('log', options.logProfile);
  }

  get stores(): readonly SimulatedStore[] {
    return [this.dataStore, this.logStore];
  }

  /** The node that serves, or the last one that did. */
  get current(): SimulatedNode | undefined {
    return this.#current;
  }

  target(): Target | undefined {
    return this.#current;
  }

  /** Starts a node, again and again until one serves; from then on clients send to it. */
  async startNode(): Promise<SimulatedNode> {
    const { world } = this.#options;
    this.#attempt += 1;
    const attempt = this.#attempt;
    for (;;) {
      const machine = new Machine(world, `n${this.machines.length}`, {
        wallAheadMs: this.#random.between(-2_500, 2_500),
        rate: 1 + (this.#random.fraction() - 0.5) / 1_000,
      });
      this.machines.push(machine);
      const node = await this.#start(machine);
      if (node) {
        // One that was started earlier and was slower does not count.
        if (attempt > this.#currentAttempt) {
          this.#current = node;
          this.#currentAttempt = attempt;
        }
        // Whoever runs the nodes of a deployment replaces one that died, if nobody else does.
        node.machine.onDeath(() => world.schedule(3_000, () => void this.#replaceDead(node)));
        return node;
      }
      await world.sleep(this.#random.between(100, 1_000));
    }
  }

  /** `machine` dies at its `count`-th request to a store from now. `afterSending`: the request leaves first. */
  crashAtRequest(machine: Machine, count: number, afterSending: boolean): void {
    this.#crashes.set(machine, { left: count, afterSending });
  }

  /** Everything works from now on, and a node serves. */
  async heal(): Promise<void> {
    for (const { weather } of this.stores) weather.heal();
    this.keyService.isDown = false;
    this.#crashes.clear();
    for (const machine of this.machines) machine.thaw();
    if (!this.#current?.machine.isAlive) await this.startNode();
  }

  async #replaceDead(dead: SimulatedNode): Promise<void> {
    if (this.#current === dead && this.#attempt === this.#currentAttempt) await this.startNode();
  }

  /** Resolves with undefined when the node did not start, or died while it did. */
  async #start(machine: Machine): Promise<SimulatedNode | undefined> {
    const { world, settings, onOpened } = this.#options;
    machine.note('starts');
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
      dataStore: new StoreLink(world, machine, this.dataStore, onStoreRequest),
      logStore: new StoreLink(world, machine, this.logStore, onStoreRequest),
      keyService: this.keyService,
      settings,
      onOpened,
      onReport: (event, fields) => {
        if (!machine.isAlive) return;
        machine.note(`reports ${event} ${JSON.stringify(fields)}`);
        if (isAlarming(fields)) world.violate(`a node reports ${event}: ${JSON.stringify(fields)}`);
      },
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
