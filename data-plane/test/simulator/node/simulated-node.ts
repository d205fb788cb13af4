/**
 * A data node of the simulated world: the product's own `NodeCore` over simulated stores, keys, engines and peers. The HTTP
 * servers are left out; what they decide about a request (its database by name, whether the node still takes it) is here.
 */
import type { SqlRequest, SqlResponse } from '@turso-byoc/data-plane/database/database-service.js';
import type { RoutedDatabases } from '@turso-byoc/data-plane/database/routed-databases.js';
import { ByocError, isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import { commitLogLimits, logMaintenance } from '@turso-byoc/data-plane/node/limits.js';
import type { LogMaintenanceSettings } from '@turso-byoc/data-plane/node/log-maintenance.js';
import { NodeCore } from '@turso-byoc/data-plane/node/node-core.js';
import { openLogStore, type OpenedLog } from '@turso-byoc/data-plane/node/open-log-store.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { noVersions } from '@turso-byoc/data-plane/object-store/object-versions.js';
import { fileStore } from '@turso-byoc/data-plane/object-store/store-url.js';
import { RecentEntries } from '@turso-byoc/data-plane/storage/log-store/recent-entries.js';
import { ModelEngines } from '../engine/model-engines.js';
import type { Network } from '../network/network.js';
import type { EngineObserver } from '../engine/model-process.js';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import type { SimulatedNodeSettings } from './node-settings.js';
import { SimulatedKeys, type KeyServiceState } from './simulated-keys.js';
import { SimulatedPeers, type NodeFaces } from './simulated-peers.js';

export interface SimulatedNodeOptions {
  readonly world: World;
  readonly machine: Machine;
  readonly network: Network;
  readonly dataStore: ObjectStore;
  /** `log`, or the zones by name. */
  readonly logStores: ReadonlyMap<string, ObjectStore>;
  readonly keyService: KeyServiceState;
  readonly settings: SimulatedNodeSettings;
  readonly nodeAt: (host: string) => NodeFaces | undefined;
  readonly observer: EngineObserver;
  /** A line that a real node would write to its log. */
  readonly onReport: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** The one organization of the simulated world. */
export const organization = 'simulated';

const drainDelayMs = 500;

export class SimulatedNode implements NodeFaces {
  readonly machine: Machine;
  readonly engines: ModelEngines;
  readonly #core: NodeCore;
  readonly #logs: OpenedLog;
  readonly #world: World;
  #state: 'open' | 'leaving' | 'closed' = 'open';

  /** Resolves when the node serves. Throws what a real node would not start with. */
  static async start(options: SimulatedNodeOptions): Promise<SimulatedNode> {
    const { world, machine, network, dataStore, logStores, keyService, settings, observer, onReport } = options;
    const logs = await openLogStore({
      runtime: machine,
      locations: {
        data: fileStore('/data'),
        log: [...logStores.keys()].map((name) => fileStore(`/${name}`)),
        control: fileStore('/control'),
      },
      openStore: async (name) => {
        const store = logStores.get(name);
        if (!store) throw new Error(`there is no store ${name}`);
        // As a real one, which is tried out: a zone that is away cannot be opened.
        if (logStores.size > 1) await store.list('', { limit: 1 });
        return store;
      },
      dataStore,
      report: onReport,
      onZoneEvent: () => undefined,
    });
    const { deployment } = logs;
    const engines = new ModelEngines({
      world,
      machine,
      processes: settings.engineProcesses,
      statementDeadlineMs: settings.statementDeadlineMs,
      observer,
    });
    const core = await NodeCore.start({
      runtime: machine,
      deployment,
      dataStore,
      dataVersions: noVersions,
      logStore: new RecentEntries(logs.logStore, 2 ** 20),
      keys: new SimulatedKeys(world, machine, keyService),
      engines,
      peers: new SimulatedPeers({ network, machine, nodeAt: options.nodeAt }),
      limits: settings.limits,
      policy: settings.policy,
      timing: settings.timing,
      logMaintenance: settings.logMaintenance ?? soonMaintenance(settings.settlesPerSecond),
      log: { windowMs: settings.commitWindowMs, ...commitLogLimits },
      maxOpenDatabases: settings.maxOpenDatabases,
      routeTimeoutMs: settings.routeTimeoutMs,
      report: onReport,
      onFenced: (cause) => {
        onReport('fenced', { cause });
        // A real node ends its process now; one that is slow to do so must not do harm either.
        machine.schedule(machine.randomFraction() * 1_000, () => machine.die('fenced'));
      },
    });
    return new SimulatedNode(world, machine, engines, core, logs);
  }

  private constructor(world: World, machine: Machine, engines: ModelEngines, core: NodeCore, logs: OpenedLog) {
    this.#world = world;
    this.machine = machine;
    this.engines = engines;
    this.#core = core;
    this.#logs = logs;
  }

  get epoch(): string {
    return this.#core.epoch;
  }

  get databases(): RoutedDatabases {
    return this.#core.databases;
  }

  /** What the load balancer's health check is told. */
  get isReady(): boolean {
    return this.#state === 'open' && this.#core.isReady;
  }

  get isLeaving(): boolean {
    return this.#state !== 'open';
  }

  /** Tells the other nodes that this one serves. */
  async announce(): Promise<void> {
    await this.#core.serveAt({ host: this.machine.name, httpPort: 8080, adminPort: 8081 });
  }

  async sql(request: SqlRequest): Promise<SqlResponse> {
    if (this.#state === 'closed') throw new ByocError('SHUTTING_DOWN', 'the node is stopping');
    const { databases } = this.#core;
    const { label } = request.admission;
    const found = await databases.find(organization, label);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', `database ${label} not found`);
    try {
      return await databases.execute(found.id, request);
    } catch (error) {
      if (!isByocError(error, 'DATABASE_NOT_FOUND')) throw error;
      // The name may be remembered for a database that was deleted through another node.
      const now = await databases.find(organization, label, { fresh: true });
      if (!now || now.id === found.id) throw error;
      return databases.execute(now.id, request);
    }
  }

  /** A clean stop, as SIGTERM brings it about; the process ends afterwards. */
  async stop(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'leaving';
    this.machine.note('is asked to stop');
    if (this.#core.hasPeers) await this.machine.sleep(drainDelayMs);
    await this.#core.drain();
    this.#state = 'closed';
    await this.#core.stop();
    this.#logs.close();
    // What it answered last is still on its way.
    await this.#world.sleep(5);
    this.machine.die('stopped');
  }
}

/** Soon enough to happen within a run, among everything else. */
function soonMaintenance(settlesPerSecond = logMaintenance.collection.pace.settlesPerSecond): LogMaintenanceSettings {
  return {
    upkeep: { ...logMaintenance.upkeep, maxRetainedPositions: 40, maxRetainedBytes: 400_000, maxPackBytes: 200_000 },
    collection: {
      pace: { ...logMaintenance.collection.pace, graceMs: 5_000, settlesPerSecond },
      delayMs: 3_000,
      retryMs: 10_000,
    },
  };
}
