/**
 * A data node of the simulated world: the product's storage, ownership and database code, put together as a real node
 * puts it together, over simulated stores, keys and engines. There are no HTTP servers; requests come to `databases`.
 */
import type { NodeContext } from '@turso-byoc/data-plane/database/node-context.js';
import { NodeDatabases } from '@turso-byoc/data-plane/database/node-databases.js';
import { UnfoldedFragments } from '@turso-byoc/data-plane/database/unfolded-fragments.js';
import { ByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { commitLogLimits } from '@turso-byoc/data-plane/node/limits.js';
import {
  announceEpoch,
  endEpoch,
  firstCommitPosition,
  type RunningEpoch,
} from '@turso-byoc/data-plane/node/node-epoch.js';
import { RecentObjects } from '@turso-byoc/data-plane/object-store/recent-objects.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { EndedEpochs } from '@turso-byoc/data-plane/ownership/ended-epochs.js';
import { CommitLog } from '@turso-byoc/data-plane/storage/commit-log.js';
import { deploymentOf } from '@turso-byoc/data-plane/storage/deployment.js';
import { ManifestStore } from '@turso-byoc/data-plane/storage/manifest-store.js';
import { NameStore } from '@turso-byoc/data-plane/storage/name-store.js';
import { ModelEngines } from '../engine/model-engines.js';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import type { SimulatedNodeSettings } from './node-settings.js';
import { SimulatedKeys, type KeyServiceState } from './simulated-keys.js';

export interface SimulatedNodeOptions {
  readonly world: World;
  readonly machine: Machine;
  readonly dataStore: ObjectStore;
  readonly logStore: ObjectStore;
  readonly keyService: KeyServiceState;
  readonly settings: SimulatedNodeSettings;
  readonly onOpened: (id: DatabaseId, commit: number, history: string) => void;
  /** A line that a real node would write to its log. */
  readonly onReport: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export class SimulatedNode {
  readonly machine: Machine;
  readonly databases: NodeDatabases;
  readonly engines: ModelEngines;
  readonly #context: NodeContext;
  readonly #running: RunningEpoch;
  readonly #log: CommitLog;

  /** Resolves when the node serves. Throws what a real node would not start with. */
  static async start(options: SimulatedNodeOptions): Promise<SimulatedNode> {
    const { machine: runtime, dataStore, logStore: wholeLogStore, onReport } = options;
    const logStore = new RecentObjects(wholeLogStore, 2 ** 20);
    const deployment = await deploymentOf(runtime, dataStore, logStore);
    const running = await announceEpoch(runtime, { dataStore, logStore });
    const ended = new EndedEpochs({ runtime, dataStore, logStore }, running.epoch, 64);
    const node = new SimulatedNode(options, { deployment, running, ended, logStore });
    await ended.recoverAll((epoch, error) =>
      onReport('a node epoch could not be recovered', { epoch, error: String(error), code: codeOf(error) }),
    );
    return node;
  }

  private constructor(
    { world, machine, dataStore, keyService, settings, onOpened, onReport }: SimulatedNodeOptions,
    started: { deployment: string; running: RunningEpoch; ended: EndedEpochs; logStore: ObjectStore },
  ) {
    const { deployment, running, ended, logStore } = started;
    this.machine = machine;
    this.#running = running;
    this.engines = new ModelEngines({
      world,
      machine,
      processes: settings.engineProcesses,
      statementDeadlineMs: settings.statementDeadlineMs,
      onOpened,
    });
    this.#log = new CommitLog({
      runtime: machine,
      store: logStore,
      epoch: running.epoch,
      firstPosition: firstCommitPosition,
      windowMs: settings.commitWindowMs,
      ...commitLogLimits,
      onFenced: (cause) => {
        onReport('fenced', { error: cause });
        this.databases.abandon(new ByocError('DATABASE_MOVED', 'another node has taken over'));
        // A real node ends its process now.
        machine.schedule(0, () => machine.die('fenced'));
      },
    });
    this.#context = {
      runtime: machine,
      deployment,
      epoch: running.epoch,
      dataStore,
      logStore,
      keys: new SimulatedKeys(world, machine, keyService),
      names: new NameStore(machine, dataStore),
      manifests: new ManifestStore(machine, dataStore),
      log: this.#log,
      engines: this.engines,
      unfolded: new UnfoldedFragments(),
      findRecovery: async (other) => ended.recovery(other),
      limits: settings.limits,
      policy: settings.policy,
      report: onReport,
    };
    this.databases = new NodeDatabases(this.#context, {
      maxOpen: settings.maxOpenDatabases,
      maxRememberedNames: 1_000,
    });
  }

  get epoch(): string {
    return this.#running.epoch;
  }

  /** A clean stop, as SIGTERM brings it about; the process ends afterwards. */
  async stop(): Promise<void> {
    await this.databases.close();
    if (!this.#log.isFenced) {
      await endEpoch(this.machine, this.#context.dataStore, this.#running, this.#log, () =>
        this.#context.unfolded.byDatabase(),
      );
    }
    this.machine.die('stopped');
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ByocError ? error.code : undefined;
}
