/**
 * Chains the calls that the catalog has recorded, once their outcome is known. What the control plane did not live to see
 * the end of is chained as `interrupted` by whichever replica finds it. Nothing runs while nothing waits; what comes within a
 * quarter of a second is chained together, sooner when somebody wants to read the log.
 */
import type { Logger } from 'pino';
import { appendToChain, auditHead, auditPage, pendingCalls } from '../catalog/audit-log.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { chain, type ChainHead } from './audit-chain.js';
import type { AuditEntry } from './audit-entry.js';
import { runUnaudited, type AuditedCall } from './audited-call.js';

/** A recorded call that is older than this and that nobody here carries out was interrupted. No call takes as long. */
const interruptedAfterMs = 120_000;
const batchSize = 500;
/** How long an entry waits for others. */
const gatherMs = 250;
const firstPauseMs = 100;
const maxPauseMs = 10_000;

export class AuditLog {
  readonly #waiting = new Map<string, AuditEntry>();
  /** Calls that are being carried out here. */
  readonly #open = new Set<string>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  /** Aborted when somebody waits for the chain. */
  #hurry = new AbortController();
  /** Where the chain ended after the last append; undefined when that is not certain. */
  #head: ChainHead | undefined;

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
    this.#hurry.abort();
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
    // Another replica may have found them, too.
    this.#head = undefined;
    this.#work();
  }

  /** Chains what waits and begins nothing more. What cannot be chained is found by the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    try {
      while (this.#waiting.size > 0) await this.#chainBatch();
    } catch (error) {
      this.logger.warn({ err: error, entries: this.#waiting.size }, 'audit entries wait in the catalog');
    }
  }

  #work(): void {
    if (this.#waiting.size === 0 || this.#stop.signal.aborted) return;
    if (this.#running !== undefined) return;
    this.#hurry = new AbortController();
    this.#running = runUnaudited(async () => this.#run()).finally(() => {
      this.#running = undefined;
      // What came between the last look and here.
      this.#work();
    });
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs;
    const noHurry = AbortSignal.any([this.#stop.signal, this.#hurry.signal]);
    while (this.#waiting.size > 0 && !this.#stop.signal.aborted) {
      if (this.#waiting.size < batchSize) await this.#pause(gatherMs, noHurry);
      try {
        await this.#chainBatch();
        pauseMs = firstPauseMs;
      } catch (error) {
        this.logger.warn({ err: error }, 'audit entries could not be chained yet');
        await this.#pause(pauseMs, this.#stop.signal);
        pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      }
    }
  }

  /** Sooner when the signal is aborted. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await this.clock.sleep(ms, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  }

  async #chainBatch(): Promise<void> {
    const batch = [...this.#waiting.values()].slice(0, batchSize);
    // An attempt whose answer was lost, or another replica, may have chained some.
    const { head, held: there } =
      this.#head === undefined
        ? await auditHead(
            this.catalog,
            batch.map(({ id }) => id),
          )
        : { head: this.#head, held: new Set<string>() };
    this.#head = undefined;
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
    const last = chained.at(-1) ?? head;
    if (held.size === chained.length) this.#head = { sequence: last.sequence, hash: last.hash };
    for (const id of [...there, ...held]) this.#waiting.delete(id);
    this.onChained();
  }
}
