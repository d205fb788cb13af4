/**
 * Runs migrations over the databases of a group. What was done is noted in the catalog batch by batch, and in each database
 * with the migration itself, so an operation that was cut off anywhere goes on without applying anything twice. One replica
 * runs an operation at a time, under a lease; another takes over when the lease ends.
 */
import { randomUUID } from 'node:crypto';
import { createClient } from '@libsql/client';
import type { Logger } from 'pino';
import { hostLabel } from '@turso-byoc/data-plane/naming/host-label.js';
import { runUnaudited } from '../audit/audited-call.js';
import type { TokenMinter } from '../auth/token-minter.js';
import { generationsOf } from '../catalog/access-rules.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { databasesNamed, listReadyDatabases, type DatabaseRecord } from '../catalog/databases.js';
import { mintedTokenRecord } from '../catalog/minted-tokens.js';
import {
  leaseOperation,
  noteProgress,
  unattendedOperations,
  type OperationRecord,
  type Progress,
} from '../catalog/operations.js';
import type { Clock } from '../clock.js';
import { isRetriable } from '../retry/retriable-errors.js';
import { withRetry } from '../retry/with-retry.js';
import { applyMigration } from './apply-migration.js';

/** Databases that are worked on at the same time. */
const parallel = 8;
/** Longer than any batch takes. */
const leaseMs = 30_000;
const tokenLifetimeSeconds = 3_600;
/** Below so many databases a failure rate says little. */
const leastSample = 20;

export interface OperationsOptions {
  readonly catalog: CatalogConnection;
  readonly minter: TokenMinter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The data plane's URL, with a trailing slash. */
  readonly dataUrl: string;
  /** How long a database is tried again while it does not answer. */
  readonly retryBudgetMs: number;
  readonly attemptTimeoutMs: number;
}

export class Operations {
  readonly #runner = randomUUID();
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();

  constructor(private readonly options: OperationsOptions) {}

  /** Takes up what should run and what nobody runs; resolves when it has been taken up. */
  async wake(): Promise<void> {
    const { catalog, clock, logger } = this.options;
    for (const { id } of await unattendedOperations(catalog, clock.now())) {
      if (this.#running.has(id) || this.#stop.signal.aborted) continue;
      const run = runUnaudited(async () => this.#run(id))
        .catch((error: unknown) => logger.warn({ err: error, operation: id }, 'an operation waits for its next runner'))
        .finally(() => this.#running.delete(id));
      this.#running.set(id, run);
    }
  }

  /** Begins no further batch, and resolves when those in hand are noted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  async #run(id: string): Promise<void> {
    const { catalog, clock } = this.options;
    let token: { readonly jwt: string; readonly mintedAtMs: number } | undefined;
    while (!this.#stop.signal.aborted) {
      const nowMs = clock.now();
      const operation = await leaseOperation(catalog, id, { runner: this.#runner, nowMs, untilMs: nowMs + leaseMs });
      if (operation === undefined) return;
      const batch = await this.#nextBatch(operation);
      if (batch.length === 0) {
        await noteProgress(catalog, id, this.#runner, { ...operation, state: 'done', failures: [] });
        return;
      }
      if (token === undefined || nowMs - token.mintedAtMs > tokenLifetimeSeconds * 500)
        token = await this.#mint(operation);
      await noteProgress(catalog, id, this.#runner, await this.#runBatch(operation, batch, token.jwt));
    }
    // Left for the next runner at once.
    await leaseOperation(catalog, id, { runner: this.#runner, nowMs: clock.now(), untilMs: 0 });
  }

  async #nextBatch(operation: OperationRecord): Promise<DatabaseRecord[]> {
    const { catalog } = this.options;
    const { organization, groupUuid, databases, cursor } = operation;
    if (databases === undefined) {
      return listReadyDatabases(catalog, { organization, group: groupUuid, after: cursor, limit: parallel });
    }
    const left = (await databasesNamed(catalog, organization, databases)).filter(({ name }) => name > cursor);
    return left.slice(0, parallel);
  }

  async #runBatch(operation: OperationRecord, batch: readonly DatabaseRecord[], jwt: string): Promise<Progress> {
    const failures: { database: string; error: string }[] = [];
    await Promise.all(
      batch.map(async (database) => {
        try {
          await this.#apply(operation, database, jwt);
        } catch (error) {
          failures.push({ database: database.name, error: error instanceof Error ? error.message : String(error) });
        }
      }),
    );
    const failed = operation.failed + failures.length;
    const succeeded = operation.succeeded + batch.length - failures.length;
    const allowed = operation.maxFailureRate * Math.max(leastSample, failed + succeeded);
    const isTooMany = failures.length > 0 && failed > allowed;
    return {
      cursor: batch.at(-1)?.name ?? operation.cursor,
      succeeded,
      failed,
      state: isTooMany ? 'failed' : 'running',
      ...(isTooMany && { reason: `${failed} of ${failed + succeeded} databases failed` }),
      failures,
    };
  }

  async #apply(operation: OperationRecord, database: DatabaseRecord, authToken: string): Promise<void> {
    const { dataUrl, attemptTimeoutMs, retryBudgetMs, clock } = this.options;
    const label = hostLabel({ database: database.name, organization: database.addressOrganization });
    const timedFetch = async (input: Parameters<typeof fetch>[0]): Promise<Response> =>
      fetch(input, { signal: AbortSignal.timeout(attemptTimeoutMs) });
    const client = createClient({ url: new URL(`db/${label}/`, dataUrl).href, authToken, fetch: timedFetch });
    try {
      await withRetry(async () => applyMigration(client, operation), { clock, budgetMs: retryBudgetMs, isRetriable });
    } finally {
      client.close();
    }
  }

  /** A token for the group, recorded like every other. */
  async #mint({ id, groupUuid }: OperationRecord): Promise<{ readonly jwt: string; readonly mintedAtMs: number }> {
    const { catalog, minter } = this.options;
    const generations = await generationsOf(catalog, groupUuid);
    const token = await minter.mint({
      kind: 'group',
      subject: groupUuid,
      access: 'rw',
      mintedBy: `operation ${id}`,
      lifetimeSeconds: tokenLifetimeSeconds,
      generation: generations.get(groupUuid) ?? 0,
    });
    await catalog.write([mintedTokenRecord(token)]);
    return token;
  }
}
