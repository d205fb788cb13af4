/** What goes wrong in a run: which faults, when and for how long, all from the seed. */
import type { Network } from '../network/network.js';
import type { Cluster } from '../node/cluster.js';
import type { SimulatedStore } from '../store/store-link.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

type Event = () => Promise<void>;

export class Misfortune {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #network: Network;
  readonly #random: Random;

  constructor(world: World, cluster: Cluster, network: Network) {
    this.#world = world;
    this.#cluster = cluster;
    this.#network = network;
    this.#random = world.random.fork();
  }

  /** Lets things go wrong, one after the other and several at once, until `isOver`. */
  async happen(isOver: () => boolean): Promise<void> {
    // A run in which everything happens hides what one kind of fault alone would show.
    const kinds = this.#kinds().filter(() => this.#random.chance(45));
    const pauseMs = this.#random.pick([1_000, 3_000, 8_000]);
    const pending: Promise<void>[] = [];
    while (!isOver()) {
      await this.#world.sleep(this.#random.below(2 * pauseMs));
      if (isOver() || kinds.length === 0) break;
      pending.push(this.#random.pick(kinds)());
    }
    await Promise.all(pending);
  }

  #kinds(): Event[] {
    return [
      this.#crash,
      this.#crash,
      this.#crashTwice,
      this.#stallAndReplace,
      this.#stallAndReplace,
      this.#stallBriefly,
      this.#replaceRunning,
      this.#stopCleanly,
      this.#crashAtSomeRequest,
      this.#cutOff,
      this.#outage,
      this.#storm,
      this.#slowStore,
      this.#killEngine,
      this.#killEngine,
      this.#stepClock,
      this.#cutFromClients,
      this.#keysDown,
    ].map((event) => event.bind(this));
  }

  async #crash(): Promise<void> {
    this.#cluster.current?.machine.die('crash');
    await this.#world.sleep(this.#random.below(2_000));
    await this.#cluster.startNode();
  }

  /** The successor dies too, while it takes over or soon after. */
  async #crashTwice(): Promise<void> {
    this.#cluster.current?.machine.die('crash, the first of two');
    const starting = this.#cluster.startNode();
    await this.#world.sleep(this.#random.below(800));
    this.#cluster.machines.at(-1)?.die('crash, the second of two');
    await starting;
    if (!this.#cluster.current?.machine.isAlive) await this.#cluster.startNode();
  }

  /** The node stalls, another one takes over, and the first one goes on. */
  async #stallAndReplace(): Promise<void> {
    const stalled = this.#cluster.current?.machine;
    if (!stalled) return;
    stalled.freeze({ stopsMonotonic: this.#random.chance(30) });
    const thaw = this.#world.sleep(this.#random.below(15_000)).then(() => stalled.thaw());
    await this.#world.sleep(this.#random.below(1_000));
    await this.#cluster.startNode();
    await thaw;
  }

  async #stallBriefly(): Promise<void> {
    const machine = this.#cluster.current?.machine;
    machine?.freeze({ stopsMonotonic: this.#random.chance(30) });
    await this.#world.sleep(this.#random.below(5_000));
    machine?.thaw();
  }

  /** A second node starts though the first one is well. */
  async #replaceRunning(): Promise<void> {
    await this.#cluster.startNode();
  }

  async #stopCleanly(): Promise<void> {
    const node = this.#cluster.current;
    if (!node?.machine.isAlive) return;
    node.machine.note('is asked to stop');
    await Promise.race([
      node.stop().catch((error: unknown) => node.machine.die(`it did not stop cleanly: ${String(error)}`)),
      new Promise<void>((resolve) => node.machine.onDeath(resolve)),
      this.#world.sleep(20_000),
    ]);
    node.machine.die('its time to stop is over');
    await this.#cluster.startNode();
  }

  async #crashAtSomeRequest(): Promise<void> {
    const machine = this.#cluster.current?.machine;
    if (!machine?.isAlive) return;
    this.#cluster.crashAtRequest(machine, this.#random.between(1, 30), this.#random.chance(50));
    const hasDied = new Promise<boolean>((resolve) => machine.onDeath(() => resolve(true)));
    if (!(await Promise.race([hasDied, this.#world.sleep(5_000)]))) return;
    await this.#world.sleep(this.#random.below(1_000));
    await this.#cluster.startNode();
  }

  async #cutOff(): Promise<void> {
    const machine = this.#cluster.current?.machine;
    if (!machine) return;
    const stores = this.#someStores();
    machine.note(`is cut off from ${names(stores)}`);
    for (const { weather } of stores) weather.cut(machine);
    await this.#world.sleep(this.#random.below(4_000));
    if (this.#random.chance(50)) await this.#cluster.startNode();
    await this.#world.sleep(this.#random.below(8_000));
    machine.note(`reaches ${names(stores)} again`);
    for (const { weather } of stores) weather.reconnect(machine);
  }

  async #outage(): Promise<void> {
    const stores = this.#someStores();
    this.#world.note('world', `${names(stores)} cannot be reached`);
    for (const { weather } of stores) weather.isDown = true;
    await this.#world.sleep(this.#random.between(200, 12_000));
    this.#world.note('world', `${names(stores)} can be reached again`);
    for (const { weather } of stores) weather.isDown = false;
  }

  async #storm(): Promise<void> {
    const stores = this.#someStores();
    this.#world.note('world', `${names(stores)} answers 503 most of the time`);
    for (const { weather } of stores) weather.stormPercent = this.#random.between(40, 95);
    await this.#world.sleep(this.#random.between(500, 8_000));
    this.#world.note('world', `${names(stores)} is well again`);
    for (const { weather } of stores) weather.stormPercent = 0;
  }

  async #slowStore(): Promise<void> {
    const stores = this.#someStores();
    this.#world.note('world', `${names(stores)} is slow`);
    for (const { weather } of stores) weather.slowness = this.#random.between(3, 40);
    await this.#world.sleep(this.#random.between(500, 6_000));
    for (const { weather } of stores) weather.slowness = 1;
  }

  async #killEngine(): Promise<void> {
    if (this.#cluster.current?.machine.isAlive) this.#cluster.current.engines.killOne();
  }

  async #stepClock(): Promise<void> {
    this.#cluster.current?.machine.stepWallClock(this.#random.between(-2_500, 2_500));
  }

  async #cutFromClients(): Promise<void> {
    const machine = this.#cluster.current?.machine;
    if (!machine) return;
    machine.note('is cut off from its clients');
    this.#network.cut(machine);
    await this.#world.sleep(this.#random.below(5_000));
    this.#network.reconnect(machine);
  }

  async #keysDown(): Promise<void> {
    this.#world.note('world', 'the key service is down');
    this.#cluster.keyService.isDown = true;
    await this.#world.sleep(this.#random.below(4_000));
    this.#cluster.keyService.isDown = false;
  }

  #someStores(): readonly SimulatedStore[] {
    const { dataStore, logStore } = this.#cluster;
    return this.#random.pick([[dataStore], [logStore], [dataStore, logStore]]);
  }
}

function names(stores: readonly SimulatedStore[]): string {
  return stores.map(({ contents }) => contents.name).join(' and ');
}
