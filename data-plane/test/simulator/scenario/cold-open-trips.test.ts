/**
 * Counts the round trips to the store, one after the other, that the first query on a database takes on a node that never
 * had it. While it runs every request to a store takes a second and everything else next to nothing, so that seconds of
 * virtual time are round trips, whatever else goes on at the same time.
 */
import { encodeRequest, type ModelAnswer, type ModelOperation } from '../engine/model-protocol.js';
import { Network } from '../network/network.js';
import { Cluster } from '../node/cluster.js';
import { smallSettings } from '../node/node-settings.js';
import type { SimulatedNode } from '../node/simulated-node.js';
import { s3Standard, type StoreProfile } from '../store/store-profile.js';
import { Client } from '../workload/client.js';
import { Population } from '../workload/population.js';
import { World } from '../world/world.js';

const tripMs = 1_000;
const databaseName = 'db0';
const value = 'x'.repeat(2_900);
/** Values that fill about a megabyte: each takes a page of 4,096 bytes. */
const valuesInAMegabyte = 260;

type Changeable = { -readonly [Key in keyof StoreProfile]: StoreProfile[Key] };

class ColdOpen {
  readonly #world = new World(1);
  readonly #population = new Population(this.#world);
  readonly #cluster: Cluster;
  readonly #client: Client;
  readonly #profiles: Changeable[] = [0, 1].map(() => ({ ...s3Standard, spread: 1, timeoutMs: 30_000 }));

  /** `foldFragments`: with how many fragments in its tail a database is folded. */
  constructor(foldFragments: number) {
    const [dataProfile, logProfile] = this.#profiles as [Changeable, Changeable];
    const byId = (id: string) => this.#population.byId(id);
    const network = new Network(this.#world, { medianMs: 0.5, lostRequestPercent: 0, lostAnswerPercent: 0 });
    this.#setTripMs(5);
    this.#cluster = new Cluster({
      world: this.#world,
      network,
      dataProfile,
      logProfile,
      settings: {
        ...smallSettings,
        policy: {
          ...smallSettings.policy,
          foldFragments,
          foldMaxBytes: 2 ** 24,
          foldMinBytes: 2 ** 24,
          idleCloseMs: 1e6,
        },
        // No lease ends while a second passes with each of its renewals.
        timing: { beatMs: 5_000, leaseMs: 40_000, marginMs: 10_000 },
        routeTimeoutMs: 200_000,
        // Nobody folds the database while it is being opened.
        settlesPerSecond: 1 / 36_000,
      },
      size: 1,
      hasWildClocks: false,
      observer: {
        line: (id) => [id],
        opened: (id, commit, history) => byId(id).opened(commit, history),
        committed: (id, commit, markers) => byId(id).committed(commit, markers),
      },
      onStoreRequest: () => 'sent',
    });
    this.#client = new Client({
      world: this.#world,
      network,
      name: 'client',
      targets: () => this.#cluster.targets,
      historyOf: byId,
      named: (name) => this.#population.named(name),
    });
  }

  async play(schedule: () => Promise<void>): Promise<void> {
    await this.#world.run(
      (async () => {
        await this.#cluster.start();
        await this.#population.create(this.#client, databaseName);
        await schedule();
      })(),
      3_600_000,
    );
    expect(this.#world.violations).toEqual([]);
  }

  get node(): SimulatedNode {
    const [node, ...others] = this.#cluster.alive;
    if (!node || others.length > 0) throw new Error('there is not one node');
    return node;
  }

  /** Commits `count` values, a transaction each. */
  async fill(count: number, from = 0): Promise<void> {
    for (let number = from; number < from + count; number++) {
      await this.run(this.node, { op: 'set', key: `v${number}`, value });
    }
  }

  /** Resolves when the manifest names a generation and nothing is being folded any more. */
  async isFolded(): Promise<void> {
    while (this.manifest().generation === undefined) await this.#world.sleep(50);
    await this.#world.sleep(2_000);
  }

  manifest(): { owner?: string; generation?: object; tail: { fragments: unknown[] }[] } {
    const { contents } = this.#cluster.dataStore;
    const [key] = contents.list('manifests/').keys;
    const body = (key === undefined ? undefined : contents.get(key))?.body.toString('utf8') ?? '\n{}';
    return JSON.parse(body.slice(body.indexOf('\n') + 1)) as ReturnType<ColdOpen['manifest']>;
  }

  get recoveries(): number {
    return this.#cluster.dataStore.contents.list('recoveries/').keys.length;
  }

  /** The node ends; resolves when the one that replaces it serves and has ended it. */
  async replaceNode(how: 'stop' | 'die'): Promise<void> {
    const old = this.node;
    const before = this.recoveries;
    if (how === 'stop') await old.stop();
    else old.machine.die('killed by the schedule');
    while (this.recoveries === before || !this.#cluster.alive.some((node) => node.isReady)) {
      await this.#world.sleep(20);
    }
  }

  async run(node: SimulatedNode, ...operations: ModelOperation[]): Promise<ModelAnswer> {
    const { status, body } = await node.sql({
      kind: 'v2-pipeline',
      readOnly: false,
      body: encodeRequest({ baton: null, operations, close: true }),
      signal: new AbortController().signal,
      admission: { label: databaseName, authorization: '' },
      isForwarded: false,
    });
    expect(status).toBe(200);
    return JSON.parse((body as Buffer).toString()) as ModelAnswer;
  }

  /** Reads a value on the node there is, and says how many round trips that took. */
  async trips(number: number): Promise<number> {
    const { node } = this;
    this.#setTripMs(tripMs);
    const startMs = this.#world.nowMs;
    const { results } = await this.run(node, { op: 'get', key: `v${number}` });
    const elapsedMs = this.#world.nowMs - startMs;
    expect(results).toEqual([{ value }]);
    // Key service, engine and turns: little beside a round trip, or they could hide one.
    expect(elapsedMs % tripMs).toBeLessThan(tripMs / 4);
    return Math.floor(elapsedMs / tripMs);
  }

  #setTripMs(ms: number): void {
    for (const profile of this.#profiles) profile.readMs = profile.writeMs = ms;
  }
}

const never = 1_000_000;
/** Fewer than make a fold due. */
const tailValues = 10;

describe('the first query on a database of a megabyte, on a node that never had it, takes at most four round trips', () => {
  it('when it was handed over, with a generation', async () => {
    const scene = new ColdOpen(30);
    await scene.play(async () => {
      await scene.fill(valuesInAMegabyte);
      await scene.isFolded();
      await scene.replaceNode('stop');
      expect(scene.manifest().owner).toBeUndefined();
      expect(await scene.trips(valuesInAMegabyte - 1)).toBeLessThanOrEqual(4);
      expect(await scene.trips(0)).toBe(0);
    });
  });

  it('when it was handed over, with a generation and a tail', async () => {
    const scene = new ColdOpen(30);
    await scene.play(async () => {
      await scene.fill(valuesInAMegabyte);
      await scene.isFolded();
      await scene.fill(tailValues, valuesInAMegabyte);
      await scene.replaceNode('stop');
      expect(scene.manifest().owner).toBeUndefined();
      expect(scene.manifest().tail.length).toBe(1);
      expect(await scene.trips(valuesInAMegabyte + tailValues - 1)).toBeLessThanOrEqual(4);
    });
  });

  it('when it was handed over, all of it a tail', async () => {
    const scene = new ColdOpen(never);
    await scene.play(async () => {
      await scene.fill(50);
      await scene.replaceNode('stop');
      expect(scene.manifest().generation).toBeUndefined();
      expect(await scene.trips(49)).toBeLessThanOrEqual(4);
    });
  });

  it('when its owner was killed and the node recovered that', async () => {
    const scene = new ColdOpen(30);
    await scene.play(async () => {
      await scene.fill(valuesInAMegabyte);
      await scene.isFolded();
      await scene.fill(tailValues, valuesInAMegabyte);
      await scene.replaceNode('die');
      expect(scene.manifest().owner).toBeDefined();
      expect(await scene.trips(valuesInAMegabyte + tailValues - 1)).toBeLessThanOrEqual(4);
    });
  });
});

it('takes five on a node that was not there when the owner was recovered: it reads the record first', async () => {
  const scene = new ColdOpen(30);
  await scene.play(async () => {
    await scene.fill(valuesInAMegabyte);
    await scene.isFolded();
    await scene.fill(tailValues, valuesInAMegabyte);
    await scene.replaceNode('die');
    await scene.replaceNode('stop');
    expect(scene.manifest().owner).toBeDefined();
    expect(await scene.trips(valuesInAMegabyte + tailValues - 1)).toBe(5);
  });
});
