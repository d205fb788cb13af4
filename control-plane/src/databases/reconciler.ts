import type { Logger } from 'pino';
import { runUnaudited } from '../audit/audited-call.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { pendingDatabases } from '../catalog/databases.js';
import { groupsBeingDeleted } from '../catalog/groups.js';
import type { Clock } from '../clock.js';
import { isControlPlaneError } from '../errors/catalogue.js';
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
    try {
      let failures = 0;
      const pending = await pendingDatabases(this.catalog);
      this.backlog = pending.length;
      for (const row of pending) {
        if (this.#stopped()) return false;
        const work = { database: row.name, databaseId: row.uuid, state: row.state };
        try {
          if (row.state === 'deleting') await this.lifecycle.finishDeletion(row);
          else if (!(await this.lifecycle.finishLeftCreation(row))) {
            failures += 1;
            this.onAttempt('failed');
            continue;
          }
          this.backlog -= 1;
          this.onAttempt('done');
          this.logger.info(work, 'finished what was left of a database');
        } catch (error) {
          // Refused for good: the row is gone or ready, nothing is left to do for it.
          if (isControlPlaneError(error, ...refusedForGood)) this.backlog -= 1;
          else failures += 1;
          this.onAttempt('failed');
          this.logger.warn({ ...work, err: error }, 'could not finish a database');
        }
      }
      for (const group of await groupsBeingDeleted(this.catalog)) {
        try {
          await this.lifecycle.deleteGroup(group);
        } catch (error) {
          // A legal hold may last for long: the other groups do not wait for it.
          failures += 1;
          this.logger.warn({ group: group.name, err: error }, 'could not finish the deletion of a group');
        }
      }
      return failures === 0;
    } catch (error) {
      this.logger.warn({ err: error }, 'could not look for unfinished work');
      return false;
    }
  }

  #wasWokenAgain(): boolean {
    return this.#wokenAgain;
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
