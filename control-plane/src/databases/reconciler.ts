import type { Logger } from 'pino';
import { failureOf } from '@turso-byoc/data-plane/tracing/failure-of.js';
import type { TraceSpan } from '@turso-byoc/data-plane/tracing/trace-span.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import { runUnaudited } from '../audit/audited-call.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { pendingDatabases, type DatabaseRecord } from '../catalog/databases.js';
import { groupsBeingDeleted } from '../catalog/groups.js';
import type { Clock } from '../clock.js';
import { isControlPlaneError } from '../errors/catalogue.js';
import { ItemSpans } from '../tracing/item-spans.js';
import type { DatabaseLifecycle } from './database-lifecycle.js';

const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
const refusedForGood = [
  'DATABASE_REFUSED',
  'DATABASE_EXISTS',
  'DATABASE_NOT_FOUND',
  'UNDELETE_EXPIRED',
  'DATABASE_HELD',
] as const;

/**
 * Finishes creations and deletions that a crash or an outage left behind. It works when woken (at start, and after a
 * failure that left work) and goes on, ever more rarely, only while work is left: an idle catalog is not asked.
 */
export class Reconciler {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #wokenAgain = false;
  /** Databases that the last look found unfinished, and that are still. */
  backlog = 0;

  constructor(
    private readonly catalog: CatalogConnection,
    private readonly lifecycle: DatabaseLifecycle,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onAttempt: (outcome: 'done' | 'failed') => void = () => undefined,
    private readonly tracing?: Tracing,
  ) {}

  /** Looks for unfinished work now, or once more after the present pass. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    this.#wokenAgain = true;
    // Not part of the call that woke it, whose record is of what it did itself.
    this.#running ??= runUnaudited(async () => this.#run()).finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when no unfinished work is known. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Begins nothing more and resolves when the step in hand is done. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#stopped()) {
      this.#wokenAgain = false;
      const finished = await this.#pass();
      if (this.#wasWokenAgain()) continue;
      if (finished) return;
      await this.clock.sleep(pauseMs, this.#stop.signal).catch((error: unknown) => {
        if (!this.#stopped()) throw error;
      });
      pauseMs = Math.min(pauseMs * 2, maxPauseMs);
    }
  }

  /** Whether nothing is left to do. */
  async #pass(): Promise<boolean> {
    const { tracing } = this;
    if (!tracing) return this.#look(undefined);
    return tracing.during(tracing.beginOwn('reconciler pass', {}), async (span) => this.#look(span));
  }

  async #look(span: TraceSpan | undefined): Promise<boolean> {
    const outcomes = { mended: 0, refused: 0, failed: 0 };
    try {
      const pending = await pendingDatabases(this.catalog);
      this.backlog = pending.length;
      span?.set({ 'turso.reconciler.databases': pending.length });
      const databases = new ItemSpans(this.tracing, pending.length);
      for (const row of pending) {
        if (this.#stopped()) return false;
        const attributes = { 'turso.database.id': row.uuid, 'turso.database.state': row.state };
        const outcome = await databases.item('reconcile database', attributes, async (each) => this.#mend(row, each));
        outcomes[outcome] += 1;
        if (outcome !== 'failed') this.backlog -= 1;
        this.onAttempt(outcome === 'mended' ? 'done' : 'failed');
      }
      const left = await groupsBeingDeleted(this.catalog);
      span?.set({ 'turso.reconciler.groups': left.length });
      const groups = new ItemSpans(this.tracing, left.length);
      for (const group of left) {
        await groups.item('reconcile group', { 'turso.group.id': group.uuid }, async (each) => {
          try {
            await this.lifecycle.deleteGroup(group);
          } catch (error) {
            // A legal hold may last for long: the other groups do not wait for it.
            outcomes.failed += 1;
            each?.fail(failureOf(error));
            this.logger.warn({ group: group.name, err: error }, 'could not finish the deletion of a group');
          }
        });
      }
      return outcomes.failed === 0;
    } catch (error) {
      span?.fail(failureOf(error));
      this.logger.warn({ err: error }, 'could not look for unfinished work');
      return false;
    } finally {
      const { mended, refused, failed } = outcomes;
      span?.set({
        'turso.reconciler.mended': mended,
        'turso.reconciler.refused': refused,
        'turso.reconciler.failed': failed,
      });
    }
  }

  /** `refused`: for good, so that nothing is left to do for it; `failed`: it is for a later pass. */
  async #mend(row: DatabaseRecord, span: TraceSpan | undefined): Promise<'mended' | 'refused' | 'failed'> {
    const work = { database: row.name, databaseId: row.uuid, state: row.state };
    try {
      if (row.state === 'deleting') await this.lifecycle.finishLeftDeletion(row);
      else if (!(await this.lifecycle.finishLeftCreation(row))) return 'failed';
      this.logger.info(work, 'finished what was left of a database');
      return 'mended';
    } catch (error) {
      span?.fail(failureOf(error));
      this.logger.warn({ ...work, err: error }, 'could not finish a database');
      // Refused for good: the row is gone or ready.
      return isControlPlaneError(error, ...refusedForGood) ? 'refused' : 'failed';
    }
  }

  #wasWokenAgain(): boolean {
    return this.#wokenAgain;
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
