/**
 * Chains the calls that the catalog has recorded, once their outcome is known. What the control plane did not live to see
 * the end of is chained as `interrupted` by whichever replica finds it. Nothing runs while nothing waits.
 */
import type { Logger } from 'pino';
import { appendToChain, auditHead, auditPage, heldByChain, pendingCalls } from '../catalog/audit-log.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { chain } from './audit-chain.js';
import type { AuditEntry } from './audit-entry.js';
import { runUnaudited, type AuditedCall } from './audited-call.js';

/** A recorded call that is older than this and that nobody here carries out was interrupted. No call takes as long. */
const interruptedAfterMs = 120_000;
const batchSize = 500;
const firstPauseMs = 100;
const maxPauseMs = 10_000;

export class AuditLog {
  readonly #waiting = new Map<string, AuditEntry>();
  /** Calls that are being carried out here. */
  readonly #open = new Set<string>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    private readonly catalog: CatalogConnection,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Told when the chain has grown. */
    private readonly onChained: () => void = () => undefined,
  ) {}

  /** A call begins. */
  opened({ draft }: AuditedCall): void {
    this.#open.add(draft.id);
  }

  /** A call has ended; it is chained soon, if it changed anything. */
  closed({ draft, isRecorded }: AuditedCall, outcome: AuditEntry['outcome']): void {
    this.#open.delete(draft.id);
    if (!isRecorded) return;
    this.#waiting.set(draft.id, { ...draft, outcome });
    this.#work();
  }

  /** Resolves when every call that has ended before is in the chain; sooner when the catalog does not answer. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** A page of an organization's entries, the last first. */
  async page(
    organization: string,
    page: { readonly offset: number; readonly limit: number },
  ): Promise<{ readonly entries: AuditEntry[]; readonly total: number }> {
    await this.settled();
    const { entries, total } = await auditPage(this.catalog, organization, page);
    return { entries: entries.map((entry) => JSON.parse(entry) as AuditEntry), total };
  }

  /** Chains what replicas that are gone have left behind. */
  async collectInterrupted(): Promise<void> {
    const beforeMs = this.clock.now() - interruptedAfterMs;
    const left = await pendingCalls(this.catalog, beforeMs, batchSize);
    for (const draft of left) {
      if (!this.#open.has(draft.id) && !this.#waiting.has(draft.id)) {
        this.#waiting.set(draft.id, { ...draft, outcome: 'interrupted' });
      }
    }
    this.#work();
  }

  /** Chains what waits and begins nothing more. What cannot be chained is found by the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#waiting.size === 0) return;
    await this.#chainBatch().catch((error: unknown) => {
      this.logger.warn({ err: error, entries: this.#waiting.size }, 'audit entries wait in the catalog');
    });
  }

  #work(): void {
    if (this.#waiting.size === 0 || this.#stop.signal.aborted) return;
    this.#running ??= runUnaudited(async () => this.#run()).finally(() => {
      this.#running = undefined;
      // What came between the last look and here.
      this.#work();
    });
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (this.#waiting.size > 0 && !this.#stop.signal.aborted) {
      try {
        await this.#chainBatch();
        pauseMs = firstPauseMs;
      } catch (error) {
        this.logger.warn({ err: error }, 'audit entries could not be chained yet');
        await this.clock.sleep(pauseMs, this.#stop.signal).catch((reason: unknown) => {
          if (!this.#stop.signal.aborted) throw reason;
        });
        pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      }
    }
  }

  async #chainBatch(): Promise<void> {
    const batch = [...this.#waiting.values()].slice(0, batchSize);
    const head = await auditHead(this.catalog);
    // An attempt whose answer was lost, or another replica, may have chained some.
    const there = await heldByChain(
      this.catalog,
      batch.map(({ id }) => id),
    );
    const missing = batch.filter(({ id }) => !there.has(id));
    const chained = chain(
      head,
      missing.map((entry) => JSON.stringify(entry)),
    ).map((link, place) => ({
      ...link,
      id: missing[place]?.id ?? '',
      organization: missing[place]?.organization ?? '',
    }));
    const held = await appendToChain(this.catalog, head, chained);
    for (const id of [...there, ...held]) this.#waiting.delete(id);
    this.onChained();
  }
}
