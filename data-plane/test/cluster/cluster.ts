/** Several data nodes on one store, behind one address. */
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import { ManifestStore } from '@turso-byoc/data-plane/storage/manifest-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { Balancer } from './balancer.js';
import { openClusterStore, type ClusterStore, type ClusterStoreKind } from './cluster-store.js';

export interface ClusterOptions {
  readonly nodes: number;
  readonly store: ClusterStoreKind;
  readonly environment: Readonly<Record<string, string>>;
}

const mostStarts = 4;
const condemnedMessage = '"msg":"node condemned"';
const servesMessage = 'the data node serves';

export class Cluster {
  readonly nodes: readonly DataNode[];
  readonly store: ClusterStore;
  /** Why nodes ended before they served. */
  readonly failedStarts: string[] = [];
  readonly #balancer: Balancer;
  readonly #manifests: ManifestStore;
  #created = 0;

  private constructor(nodes: readonly DataNode[], store: ClusterStore, balancer: Balancer) {
    this.nodes = nodes;
    this.store = store;
    this.#balancer = balancer;
    this.#manifests = new ManifestStore(systemRuntime, store.data);
  }

  static async start({ nodes: count, store: kind, environment }: ClusterOptions): Promise<Cluster> {
    const store = await openClusterStore(kind);
    const nodes: DataNode[] = [];
    try {
      const first = await DataNode.start({ ...store.environment, ...environment });
      nodes.push(first);
      while (nodes.length < count) nodes.push(await first.startBeside());
      const balancer = await Balancer.start({
        targets: nodes.map(({ url }) => url),
        checkEveryMs: 200,
        checkTimeoutMs: 1_000,
      });
      return new Cluster(nodes, store, balancer);
    } catch (error) {
      await endAll(nodes, store);
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.#balancer.close();
    await endAll(this.nodes, this.store);
  }

  /** The address that clients see. */
  url({ name }: TestDatabase): string {
    return `${this.#balancer.url}/db/${name}-test/`;
  }

  /** Creates a database on one node after the other: the one that creates it owns it. */
  async createDatabase(name: string): Promise<TestDatabase> {
    return (this.nodes[this.#created++ % this.nodes.length] as DataNode).createDatabase(name);
  }

  /** Those of `databases` that a running node owns, as the manifests say. */
  async ownedBy<T extends { readonly database: TestDatabase }>(node: DataNode, all: readonly T[]): Promise<T[]> {
    const epoch = epochOf(node);
    const owners = await Promise.all(
      all.map(async ({ database }) => (await this.#manifests.read(database.id as DatabaseId))?.manifest.owner),
    );
    return all.filter((_, index) => owners[index] === epoch);
  }

  /** When an epoch was condemned by one of the nodes, in milliseconds since 1970; undefined when none says so. */
  condemnedAtMs(epoch: NodeEpoch): number | undefined {
    const lines = this.nodes.flatMap(({ logLines }) => logLines.filter((line) => line.includes(condemnedMessage)));
    const events = lines.map((line) => JSON.parse(line) as { epoch: NodeEpoch; time: number });
    return events.find((event) => event.epoch === epoch)?.time;
  }

  /** Starts a node again that has ended, with an empty cache; as often as it takes, like whatever runs nodes. */
  async startAgain(node: DataNode): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await node.deleteCache();
      try {
        await node.restart();
        return;
      } catch (error) {
        this.failedStarts.push(String(error));
        if (attempt === mostStarts) throw error;
      }
    }
  }
}

/** The epoch of the node's latest run, from its log. */
export function epochOf(node: DataNode): NodeEpoch {
  const line = node.logLines.findLast((candidate) => candidate.includes(servesMessage));
  if (line === undefined) throw new Error(`the log of the node does not say "${servesMessage}"`);
  return (JSON.parse(line) as { epoch: NodeEpoch }).epoch;
}

async function endAll(nodes: readonly DataNode[], store: ClusterStore): Promise<void> {
  const [first, ...others] = nodes;
  for (const node of others) await node.end('SIGKILL');
  await first?.dispose();
  await store.dispose();
}
