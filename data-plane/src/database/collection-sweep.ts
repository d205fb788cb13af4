/**
 * From time to time looks at every database of the deployment and collects those that are this node's business: its own,
 * and those without a living owner that it would be given. All else about a database that nobody uses costs nothing; this
 * costs one listing and one read of each manifest.
 */
import { isByocError } from '../errors/catalogue.js';
import type { Manifest } from '../storage/manifest.js';
import { removeOldDumps } from '../storage/staged-dump.js';
import type { NodeContext } from './node-context.js';
import type { NodeDatabases } from './node-databases.js';

export class CollectionSweep {
  readonly #context: NodeContext;
  readonly #databases: Pick<NodeDatabases, 'collect' | 'reseal'>;
  readonly #everyMs: number;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  /** `everyMs`: 0 = never. */
  constructor(context: NodeContext, databases: Pick<NodeDatabases, 'collect' | 'reseal'>, everyMs: number) {
    this.#context = context;
    this.#databases = databases;
    this.#everyMs = everyMs;
  }

  start(): void {
    if (this.#isStopped || this.#everyMs === 0) return;
    const { runtime, report } = this.#context;
    // Nodes that started together do not sweep together.
    this.#cancel = runtime.schedule(this.#everyMs * (0.5 + runtime.randomFraction()), () => {
      this.sweep()
        .catch((error: unknown) => report('garbage was not looked for', { error: String(error) }))
        .finally(() => this.start());
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Looks at every database once. */
  async sweep(): Promise<void> {
    const { manifests, report } = this.#context;
    await removeOldDumps(this.#context);
    for await (const id of manifests.list()) {
      if (this.#isStopped) return;
      try {
        const found = await manifests.read(id);
        if (!found || isSettled(found.manifest) || !(await this.#isOwnBusiness(found.manifest))) continue;
        await this.#databases.reseal(id);
        await this.#databases.collect(id);
      } catch (error) {
        // Another node's by now: it sweeps, too.
        if (isByocError(error, 'DATABASE_MOVED')) continue;
        report('a database was not collected', { database: id, error: String(error) });
      }
    }
  }

  async #isOwnBusiness({ id, owner }: Manifest): Promise<boolean> {
    const { epoch, prefersAnotherNode, findRecovery } = this.#context;
    if (owner === epoch) return true;
    if (prefersAnotherNode(id)) return false;
    return owner === undefined || (await findRecovery(owner)) !== undefined;
  }
}

/** Whether time alone gives nothing to collect: everything older than the present generation is gone. */
function isSettled(manifest: Manifest): boolean {
  const {
    deletedAtMs,
    collected,
    holds,
    generation,
    horizon,
    pins = [],
    garbage,
    parent,
    retiring,
    shredding,
  } = manifest;
  if (garbage !== undefined || pins.length > 0 || (parent && parent.released !== true)) return false;
  if (deletedAtMs !== undefined) return holds !== undefined || (collected === true && shredding === undefined);
  if (retiring !== undefined) return false;
  return generation === undefined || horizon?.digest === generation.digest;
}
