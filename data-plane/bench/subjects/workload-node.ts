import { DataNode, type BenchDatabase } from './data-node.js';
import { Deployment } from './deployment.js';
import { inParallel } from './in-parallel.js';
import { fillItems, schema } from './workload.js';

/** A data node and databases with the tables and rows of the statement cases. */
export class WorkloadNode {
  private constructor(
    readonly node: DataNode,
    readonly databases: readonly BenchDatabase[],
  ) {}

  /** `directory` is created. */
  static async start(directory: string, commitWindowMs: number, count: number): Promise<WorkloadNode> {
    const deployment = await Deployment.create(directory);
    const node = await DataNode.start(deployment, {
      TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
      TURSO_BYOC_IDLE_CLOSE_MS: '86400000',
    });
    const databases = await inParallel(Array.from({ length: count }), async (_, index) => {
      const database = await node.createDatabase(`work${index}`);
      await node.execute(database, ...schema, fillItems);
      return database;
    });
    return new WorkloadNode(node, databases);
  }

  async stop(): Promise<void> {
    await this.node.stop();
  }
}
