/**
 * Adds up what data nodes counted. They leave it in their store in numbered batches; each goes into the catalog in one
 * transaction that notes its number, and is removed from the store after that. A crash in between leaves a batch that is in
 * the catalog already, which is then only removed; so does another replica that was faster.
 */
import type { Logger } from 'pino';
import { runUnaudited } from '../audit/audited-call.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { addUsage, forgetOldUsage } from '../catalog/usage.js';
import type { Clock } from '../clock.js';
import type { AdminClient } from '../data-node/admin-client.js';

/** How often the data nodes are asked; one listing of their store each time. */
export const collectUsageEveryMs = 60_000;
/** What was collected within this time is new enough for an answer. */
const freshMs = 10_000;

export interface UsageCollectorOptions {
  readonly catalog: CatalogConnection;
  readonly admin: Pick<AdminClient, 'usage' | 'usageCollected'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told how each collection ended, and how many batches it added. */
  readonly onCollected?: (outcome: 'done' | 'failed', batches: number) => void;
}

export class UsageCollector {
  readonly #stop = new AbortController();
  #looping: Promise<void> = Promise.resolve();
  #collecting: Promise<void> | undefined;
  #collectedAtMs = -Infinity;

  constructor(private readonly options: UsageCollectorOptions) {}

  /** Collects from now on. */
  start(): void {
    this.#looping = runUnaudited(async () => this.#run());
  }

  /** Begins nothing more, and resolves when the batch in hand is added. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looping;
    await this.#collecting;
  }

  /**
   * For an answer that is to be new: collects now, unless that was done just before. Where it fails, the answer is of what
   * the catalog holds.
   */
  async refresh(): Promise<void> {
    if (this.options.clock.now() - this.#collectedAtMs < freshMs) return;
    await this.collect();
  }

  /** Collects what there is; joins a collection that is under way. A failure is told, and the next one goes on. */
  async collect(): Promise<void> {
    this.#collecting ??= runUnaudited(async () => this.#collect()).finally(() => (this.#collecting = undefined));
    return this.#collecting;
  }

  async #run(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.collect();
      await clock.sleep(collectUsageEveryMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #collect(): Promise<void> {
    const { logger, clock, onCollected } = this.options;
    try {
      const added = await this.#addAll();
      this.#collectedAtMs = clock.now();
      onCollected?.('done', added);
    } catch (error) {
      onCollected?.('failed', 0);
      logger.warn({ err: error }, 'usage could not be collected yet');
    }
  }

  async #addAll(): Promise<number> {
    const { admin, catalog, clock } = this.options;
    let added = 0;
    while (!this.#stop.signal.aborted) {
      const { batches, more } = await admin.usage();
      if (batches.length === 0) break;
      // In order: a batch that comes after a later one of its epoch is taken for one that was added.
      for (const batch of batches) await addUsage(catalog, batch, clock.now());
      await admin.usageCollected(batches);
      added += batches.length;
      if (!more) break;
    }
    if (added > 0) await forgetOldUsage(catalog, clock.now());
    return added;
  }
}
