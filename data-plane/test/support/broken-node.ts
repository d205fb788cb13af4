/** Data nodes that a test can hold up, or that are broken on purpose. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DataNode, type NodeProgram } from './data-node.js';

const steeredEntry = fileURLToPath(new URL('steered-node.js', import.meta.url));
const mutate = fileURLToPath(new URL('mutate.js', import.meta.url));

/** One change of a module of the product that breaks an invariant. */
export interface Mutation {
  /** Path below `dist/`. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface Held {
  readonly key: string;
}

/** What a test wants of a node: stores that it can hold up, mutations. */
export function nodeProgram(options: { steered?: boolean; mutation?: Mutation | readonly Mutation[] | undefined }): {
  environment: Record<string, string>;
  program: NodeProgram;
} {
  const { steered = false, mutation } = options;
  return {
    environment: mutation ? { MUTATION: JSON.stringify([mutation].flat()) } : {},
    program: { ...(steered && { entry: steeredEntry }), ...(mutation && { nodeArguments: ['--import', mutate] }) },
  };
}

/** A data node on stores that can be held up. */
export class SteeredNode {
  private constructor(readonly node: DataNode) {}

  static async start(environment: Record<string, string> = {}, mutation?: Mutation): Promise<SteeredNode> {
    const made = nodeProgram({ steered: true, mutation });
    return new SteeredNode(await DataNode.start({ ...environment, ...made.environment }, made.program));
  }

  /**
   * From now on calls of this operation wait whose key contains `key`. Returns how to wait for the next call that does:
   * `held()` resolves with it.
   */
  async hold(
    store: 'data' | 'log',
    operation: 'get' | 'getRange' | 'put',
    key = '',
  ): Promise<{ held: () => Promise<Held> }> {
    const calls: Held[] = [];
    let wake = (): void => undefined;
    this.node.messages.on('held', (call: Held & { store: string; operation: string }) => {
      if (call.store !== store || call.operation !== operation || !call.key.includes(key)) return;
      calls.push(call);
      wake();
    });
    await this.#tell({ type: 'hold', store, operation, key });
    return {
      held: async () => {
        while (calls.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        return calls.shift() as Held;
      },
    };
  }

  /** Lets every call go on. */
  async release(): Promise<void> {
    await this.#tell({ type: 'release' });
  }

  async #tell(message: object): Promise<void> {
    const done = once(this.node.messages, 'done');
    this.node.tell(message);
    await done;
  }
}
