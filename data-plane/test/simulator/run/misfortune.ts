/** What goes wrong in a run: which faults, when and for how long, all from the seed. */
import type { Network } from '../network/network.js';
import type { Cluster } from '../node/cluster.js';
import type { SimulatedNode } from '../node/simulated-node.js';
import type { SimulatedStore } from '../store/store-link.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

type Event = (node: SimulatedNode) => Promise<void>;

/** What a run can be told to let happen, beside what its seed draws. */
export type Misfortunes = 'stalls' | 'zone failures';

export class Misfortune {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #network: Network;
  readonly #random: Random;
  readonly #always: readonly Misfortunes[];
  /** The one zone of the log that fails in this run; undefined: any may, for a while. */
  readonly #failingZone: SimulatedStore | undefined;

  /** `always`: what happens in every run, whatever else does. */
  constructor(world: World, cluster: Cluster, network: Network, always: readonly Misfortunes[] = []) {
    this.#world = world;
    this.#cluster = cluster;
    this.#network = network;
    this.#random = world.random.fork();
    this.#always = always;
    const { logStores } = cluster;
    this.#failingZone = logStores.length > 1 && this.#random.chance(60) ? this.#random.pick(logStores) : undefined;
  }

  /** Lets things go wrong, one after the other and several at once, until `isOver`. */
  async happen(isOver: () => boolean): Promise<void> {
    // A run in which everything happens hides what one kind of fault alone would show.
    const kinds = this.#kinds().filter(() => this.#random.chance(40));
    for (const name of this.#always) kinds.push(...this.#named(name));
    const pauseMs = this.#random.pick([1_000, 3_000, 8_000]);
    const pending: Promise<void>[] = [];
    while (!isOver()) {
      await this.#world.sleep(this.#random.below(2 * pauseMs));
      if (isOver() || kinds.length === 0) break;
      const { alive } = this.#cluster;
      if (alive.length > 0) pending.push(this.#random.pick(kinds)(this.#random.pick(alive)));
    }
    await Promise.all(pending);
  }

  #named(name: Misfortunes): Event[] {
    switch (name) {
      case 'stalls':
        return [this.#stall.bind(this)];
      case 'zone failures':
        return [this.#outageOfZone.bind(this), this.#cutOffFromZone.bind(this), this.#loseZone.bind(this)];
    }
  }

  #kinds(): Event[] {
    return [
      this.#crash,
      this.#crash,
      this.#crashTwice,
      this.#crashAll,
      this.#stall,
      this.#stall,
      this.#stallBriefly,
      this.#join,
      this.#stopCleanly,
      this.#stopCleanly,
      this.#crashAtSomeRequest,
      this.#crashAtSomeRequest,
      this.#cutOff,
      this.#cutOff,
      this.#outage,
      this.#storm,
      this.#slowStore,
      this.#killEngine,
      this.#killEngine,
      this.#stepClock,
      this.#isolate,
      this.#keysDown,
    ].map((event) => event.bind(this));
  }

  async #crash({ machine }: SimulatedNode): Promise<void> {
    machine.die('crash');
  }

  /** Another node dies while the first one's databases are being taken over, or soon after. */
  async #crashTwice({ machine }: SimulatedNode): Promise<void> {
    machine.die('crash, the first of two');
    await this.#world.sleep(this.#random.below(4_000));
    const { alive } = this.#cluster;
    if (alive.length > 0) this.#random.pick(alive).machine.die('crash, the second of two');
  }

  async #crashAll(): Promise<void> {
    for (const { machine } of this.#cluster.alive) machine.die('crash of all');
  }

  /** Longer than every lease, so that others take over meanwhile. */
  async #stall({ machine }: SimulatedNode): Promise<void> {
    machine.freeze({ stopsMonotonic: this.#random.chance(30) });
    await this.#world.sleep(this.#random.between(1_500, 12_000));
    machine.thaw();
  }

  async #stallBriefly({ machine }: SimulatedNode): Promise<void> {
    machine.freeze({ stopsMonotonic: this.#random.chance(30) });
    await this.#world.sleep(this.#random.below(2_500));
    machine.thaw();
  }

  async #join(): Promise<void> {
    if (this.#cluster.size < 5) this.#cluster.resize(this.#cluster.size + 1);
  }

  async #stopCleanly(node: SimulatedNode): Promise<void> {
    const { machine } = node;
    await Promise.race([
      node.stop().catch((error: unknown) => machine.die(`it did not stop cleanly: ${String(error)}`)),
      new Promise<void>((resolve) => machine.onDeath(resolve)),
      this.#world.sleep(30_000),
    ]);
    machine.die('its time to stop is over');
  }

  async #crashAtSomeRequest({ machine }: SimulatedNode): Promise<void> {
    this.#cluster.crashAtRequest(machine, this.#random.between(1, 40), this.#random.chance(50));
  }

  async #cutOff({ machine }: SimulatedNode): Promise<void> {
    const stores = this.#someStores();
    machine.note(`is cut off from ${names(stores)}`);
    for (const { weather } of stores) weather.cut(machine);
    await this.#world.sleep(this.#random.below(10_000));
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

  async #outageOfZone(): Promise<void> {
    const zone = this.#someLogStore();
    this.#world.note('world', `${names([zone])} cannot be reached`);
    zone.weather.isDown = true;
    await this.#world.sleep(this.#random.between(200, 20_000));
    this.#world.note('world', `${names([zone])} can be reached again`);
    zone.weather.isDown = false;
  }

  async #cutOffFromZone({ machine }: SimulatedNode): Promise<void> {
    const zone = this.#someLogStore();
    machine.note(`is cut off from ${names([zone])}`);
    zone.weather.cut(machine);
    await this.#world.sleep(this.#random.below(15_000));
    machine.note(`reaches ${names([zone])} again`);
    zone.weather.reconnect(machine);
  }

  /** For good. Only where no other zone fails: two losses are not survived. */
  async #loseZone(): Promise<void> {
    if (!this.#failingZone || this.#random.chance(50)) return;
    this.#world.note('world', `${names([this.#failingZone])} is lost`);
    this.#failingZone.weather.isLost = true;
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

  async #killEngine({ engines }: SimulatedNode): Promise<void> {
    engines.killOne();
  }

  async #stepClock({ machine }: SimulatedNode): Promise<void> {
    machine.stepWallClock(this.#random.between(-2_500, 2_500));
  }

  /** Neither clients nor other nodes reach it, though it reaches the stores. */
  async #isolate({ machine }: SimulatedNode): Promise<void> {
    machine.note('is reached by nobody');
    this.#network.cut(machine);
    await this.#world.sleep(this.#random.below(6_000));
    machine.note('is reached again');
    this.#network.reconnect(machine);
  }

  async #keysDown(): Promise<void> {
    this.#world.note('world', 'the key service is down');
    this.#cluster.keyService.isDown = true;
    await this.#world.sleep(this.#random.below(4_000));
    this.#cluster.keyService.isDown = false;
  }

  #someStores(): readonly SimulatedStore[] {
    const { dataStore } = this.#cluster;
    const logStore = this.#someLogStore();
    return this.#random.pick([[dataStore], [logStore], [dataStore, logStore]]);
  }

  #someLogStore(): SimulatedStore {
    const { logStores } = this.#cluster;
    return (
      this.#failingZone ?? (logStores.length > 1 ? this.#random.pick(logStores) : (logStores[0] as SimulatedStore))
    );
  }
}

function names(stores: readonly SimulatedStore[]): string {
  return stores.map(({ contents }) => contents.name).join(' and ');
}
