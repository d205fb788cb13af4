/** One run of the simulator: a world from a seed, what happens in it, and what was found wrong. */
import { Cluster } from '../node/cluster.js';
import { smallSettings } from '../node/node-settings.js';
import { Network } from '../network/network.js';
import { s3Express, s3Standard, withFaults } from '../store/store-profile.js';
import type { OnStoreRequest, StoreRequest } from '../store/store-link.js';
import { Client } from '../workload/client.js';
import { Population } from '../workload/population.js';
import { World } from '../world/world.js';
import { makeBranches } from '../workload/branching.js';
import { rekeyDatabases } from '../workload/rekeying.js';
import { Misfortune } from './misfortune.js';
import { drawWorkload, type WorkloadName } from './workload.js';

export interface SimulationOptions {
  readonly seed: number;
  /** @default plain */
  readonly workload?: WorkloadName;
  /** How long clients work, in milliseconds of the world. @default drawn from the seed */
  readonly workMs?: number;
  /** The number of the request to a store, counted from when clients begin, at which the node that makes it dies. */
  readonly crashAtRequest?: number;
  /** Whether that request leaves before its node dies. */
  readonly crashAfterSending?: boolean;
  /** False: nothing goes wrong but what the other options say. @default true */
  readonly misfortune?: boolean;
  readonly keepsTrace?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly digest: string;
  readonly traceLines: readonly string[];
  readonly events: number;
  readonly virtualMs: number;
  /** Requests to the stores while clients worked. */
  readonly storeRequests: number;
  readonly answered: number;
  readonly failed: number;
  readonly unknown: number;
  readonly nodes: number;
  readonly branches: number;
  readonly rekeyed: number;
  /** Objects of databases that were deleted. */
  readonly collected: number;
}

/** Until idle databases are closed, and the logs of the nodes that died are collected. */
const settleMs = 75_000;
const quietMs = 30_000;
/** Until nodes have looked for garbage some times more. */
const sweepMs = 10_000;
/** What nodes do for themselves and for each other, whatever databases there are: beats, and the logs of ended epochs. */
const upkeep = ['nodes/', 'members/', 'format-level', 'recoveries/', 'logs/', 'packs/'];
/** Far more than any run takes. */
const longestRunMs = 600_000;

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const world = new World(options.seed, { keepsTrace: options.keepsTrace ?? false });
  const population = new Population(world);
  const hasMisfortune = options.misfortune ?? true;
  let requests = 0;
  let isWorking = false;
  let onRequest: ((request: StoreRequest) => void) | undefined;
  const onStoreRequest: OnStoreRequest = (request) => {
    onRequest?.(request);
    if (!isWorking) return 'sent';
    requests += 1;
    if (requests !== options.crashAtRequest) return 'sent';
    request.machine.die(`at request ${requests}, ${request.store} ${request.operation} ${request.key}`);
    return options.crashAfterSending ? 'sent' : 'lost';
  };
  const workload = drawWorkload(options.workload ?? 'plain', world.random);
  const hasWildClocks = hasMisfortune && world.random.chance(30);
  const isFaulty = hasMisfortune && world.random.chance(60);
  const network = new Network(world, {
    medianMs: 0.5,
    lostRequestPercent: hasMisfortune ? 0.5 : 0,
    lostAnswerPercent: hasMisfortune ? 0.5 : 0,
  });
  const cluster = new Cluster({
    world,
    network,
    hasWildClocks,
    hasZones: workload.hasZones,
    size: world.random.pick([1, 2, 3, 3, 4]),
    dataProfile: isFaulty ? withFaults(s3Standard) : s3Standard,
    logProfile: isFaulty ? withFaults(world.random.chance(70) ? s3Express : s3Standard) : s3Express,
    settings: { ...smallSettings, policy: workload.policy, commitWindowMs: world.random.pick([0, 10, 25]) },
    observer: population.observer,
    onStoreRequest,
  });
  const newClient = (name: string): Client =>
    new Client({
      world,
      network,
      name,
      targets: () => cluster.targets,
      historyOf: (id) => population.byId(id),
      named: (database) => population.named(database),
    });

  const run = async (): Promise<void> => {
    await cluster.start();
    const operator = newClient('operator');
    const names = Array.from({ length: world.random.between(1, 3) }, (_, index) => `db${index}`);
    for (const name of names) await population.create(operator, name);

    population.setReadsCount(!hasWildClocks);
    isWorking = true;
    const workMs = options.workMs ?? world.random.between(5_000, 30_000);
    let isOver = false;
    world.schedule(workMs, () => (isOver = true));
    const thinkMs = world.random.pick([10, 40, 120]);
    const work = Array.from({ length: world.random.between(2, 5) }, async (_, index) =>
      population.work(newClient(`c${index}`), thinkMs, () => isOver),
    );
    const misfortune = new Misfortune(world, cluster, network, workload.misfortunes);
    if (hasMisfortune) work.push(misfortune.happen(() => isOver));
    if (world.random.chance(30)) work.push(replaceDatabases(operator, names, () => isOver));
    if (workload.makesBranches) {
      const { historyMs } = workload.policy;
      const latestClockMs = (): number => cluster.latestClockMs;
      const client = newClient('brancher');
      work.push(makeBranches({ population, client, historyMs, latestClockMs, isOver: () => isOver }));
    }
    if (workload.rekeys) {
      work.push(rekeyDatabases({ population, client: newClient('rekeyer'), isOver: () => isOver }));
    }
    await Promise.all(work);
    isWorking = false;

    world.note('world', 'everything is well again');
    network.heal();
    await cluster.heal();
    population.setReadsCount(true);
    await population.readAll(newClient('auditor'), world.nowMs + 60_000);
    if (workload.sweeps) {
      await checkCollected(newClient('second-auditor'));
      return;
    }
    // Without it the logs of ended epochs take very long to delete, and it is looked for now and then.
    if (cluster.logStores.some(({ weather }) => weather.isLost)) return;
    await world.sleep(settleMs);
    world.note('world', 'nobody asks for anything');
    onRequest = ({ store, operation, key }) => {
      if (upkeep.some((prefix) => key.startsWith(prefix)) || operation === 'delete') return;
      world.violate(`nobody asks for anything, but a node does: ${store} ${operation} ${key}`);
    };
    await world.sleep(quietMs);
    onRequest = undefined;
  };

  const replaceDatabases = async (operator: Client, names: readonly string[], isOver: () => boolean): Promise<void> => {
    for (;;) {
      await world.sleep(world.random.between(1_000, 8_000));
      if (isOver()) return;
      await population.replace(operator, world.random.pick(names));
    }
  };

  const checked = async (): Promise<void> => {
    await run();
    for (const database of population.databases) database.check();
  };

  /** Everything is there when the history that is not kept is gone, and everybody starts anew from the stores. */
  const checkCollected = async (auditor: Client): Promise<void> => {
    await world.sleep(sweepMs);
    for (const { machine } of cluster.alive) machine.die('all start anew');
    await cluster.heal();
    await population.readAll(auditor, world.nowMs + 60_000);
  };

  await world.run(checked(), longestRunMs).catch((error: unknown) => world.violate(String(error)));
  return {
    seed: options.seed,
    violations: world.violations,
    digest: world.trace.digest(),
    traceLines: world.trace.lines,
    events: world.events,
    virtualMs: world.nowMs,
    storeRequests: requests,
    answered: population.answered,
    failed: population.unanswered,
    unknown: population.unknown,
    nodes: cluster.machines.length,
    branches: population.branched,
    rekeyed: population.rekeyed,
    collected: cluster.dataStore.contents.deleted.filter((key) => key.startsWith('objects/')).length,
  };
}
