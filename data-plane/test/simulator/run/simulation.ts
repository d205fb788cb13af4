/** One run of the simulator: a world from a seed, what happens in it, and what was found wrong. */
import { Cluster } from '../node/cluster.js';
import { smallSettings } from '../node/node-settings.js';
import { Network } from '../network/network.js';
import { s3Express, s3Standard, withFaults } from '../store/store-profile.js';
import type { OnStoreRequest, StoreRequest } from '../store/store-link.js';
import { Client } from '../workload/client.js';
import { Population } from '../workload/population.js';
import { World } from '../world/world.js';
import { Misfortune } from './misfortune.js';

export interface SimulationOptions {
  readonly seed: number;
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
}

/** Until idle databases are closed, and the logs of the nodes that died are collected. */
const settleMs = 75_000;
const quietMs = 30_000;
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
    size: world.random.pick([1, 2, 3, 3, 4]),
    dataProfile: isFaulty ? withFaults(s3Standard) : s3Standard,
    logProfile: isFaulty ? withFaults(world.random.chance(70) ? s3Express : s3Standard) : s3Express,
    settings: { ...smallSettings, commitWindowMs: world.random.pick([0, 10, 25]) },
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
    const misfortune = new Misfortune(world, cluster, network);
    if (hasMisfortune) work.push(misfortune.happen(() => isOver));
    if (world.random.chance(30)) work.push(replaceDatabases(operator, names, () => isOver));
    await Promise.all(work);
    isWorking = false;

    world.note('world', 'everything is well again');
    network.heal();
    await cluster.heal();
    population.setReadsCount(true);
    await population.readAll(newClient('auditor'), world.nowMs + 60_000);
    await world.sleep(settleMs);
    world.note('world', 'nobody asks for anything');
    onRequest = ({ store, operation, key }) => {
      if (upkeep.some((prefix) => key.startsWith(prefix)) || operation === 'delete') return;
      world.violate(`nobody asks for anything, but a node does: ${store} ${operation} ${key}`);
    };
    await world.sleep(quietMs);
    onRequest = undefined;
    for (const database of population.databases) database.check();
  };

  const replaceDatabases = async (operator: Client, names: readonly string[], isOver: () => boolean): Promise<void> => {
    for (;;) {
      await world.sleep(world.random.between(1_000, 8_000));
      if (isOver()) return;
      await population.replace(operator, world.random.pick(names));
    }
  };

  await world.run(run(), longestRunMs).catch((error: unknown) => world.violate(String(error)));
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
  };
}
