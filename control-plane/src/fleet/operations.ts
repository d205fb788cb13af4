/**
 * Runs migrations over the databases of a group. What was done is noted in the catalog batch by batch, and in each database
 * with the migration itself, so an operation that was cut off anywhere goes on without applying anything twice. One replica
 * runs an operation at a time, under a lease; another takes over when the lease ends.
 */
import { randomUUID } from 'node:crypto';
import { createClient } from '@libsql/client';
import type { Logger } from 'pino';
import { hostLabel } from '@turso-byoc/data-plane/naming/host-label.js';
import type { TraceSpan } from '@turso-byoc/data-plane/tracing/trace-span.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
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
import { asCallSpan } from '../http-client/call-span.js';
import { isRetriable } from '../retry/retriable-errors.js';
import { withRetry } from '../retry/with-retry.js';
import { applyMigration } from './apply-migration.js';
import { ItemSpans } from '../tracing/item-spans.js';

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
  readonly tracing?: Tracing | undefined;
}

/** What a runner of an operation has from one batch to the next. */
interface Runner {
  readonly id: string;
  readonly span: TraceSpan | undefined;
  token?: { readonly jwt: string; readonly mintedAtMs: number };
}

export class Operations {
  readonly #runner = randomUUID();
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();

  constructor(private readonly options: OperationsOptions) {}

  /**
   * Takes up what should run and what nobody runs; resolves when it has been taken up. `asked`: the operation that the present
   * call is about, whose run is a part of the call's trace.
   */
  async wake(asked?: string): Promise<void> {
    const { catalog, clock, logger } = this.options;
    for (const operation of await unattendedOperations(catalog, clock.now())) {
      const { id } = operation;
      if (this.#running.has(id) || this.#stop.signal.aborted) continue;
      const run = runUnaudited(async () => this.#trace(operation, id === asked))
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

  async #trace(operation: OperationRecord, isAsked: boolean): Promise<void> {
    const { tracing } = this.options;
    if (!tracing) return this.#run(operation, undefined);
    const { id, total } = operation;
    const attributes = { 'turso.operation.id': id, 'turso.operation.databases': total };
    const call = isAsked ? tracing.current() : undefined;
    const span = call ? call.child('migration run', attributes) : tracing.beginOwn('migration run', attributes);
    await tracing.during(span, async () => this.#run(operation, span));
  }

  async #run({ id, total, succeeded, failed }: OperationRecord, span: TraceSpan | undefined): Promise<void> {
    const { catalog, clock, tracing } = this.options;
    const runner: Runner = { id, span };
    const batches = new ItemSpans(tracing, Math.ceil((total - succeeded - failed) / parallel));
    while (!this.#stop.signal.aborted) {
      const isOver = await batches.item('migration batch', {}, async () => this.#step(runner));
      if (isOver) return;
    }
    // Left for the next runner at once.
    await leaseOperation(catalog, id, { runner: this.#runner, nowMs: clock.now(), untilMs: 0 });
  }

  /** Runs the next batch; whether there is nothing more to run. */
  async #step(runner: Runner): Promise<boolean> {
    const { catalog, clock } = this.options;
    const { id } = runner;
    const nowMs = clock.now();
    const operation = await leaseOperation(catalog, id, { runner: this.#runner, nowMs, untilMs: nowMs + leaseMs });
    if (operation === undefined) return true;
    const batch = await this.#nextBatch(operation);
    if (batch.length === 0) {
      await this.#note(runner, { ...operation, state: 'done', failures: [] });
      return true;
    }
    if (runner.token === undefined || nowMs - runner.token.mintedAtMs > tokenLifetimeSeconds * 500) {
      runner.token = await this.#mint(operation);
    }
    await this.#note(runner, await this.#runBatch(operation, batch, runner.token.jwt));
    return false;
  }

  async #note({ id, span }: Runner, progress: Progress): Promise<void> {
    await noteProgress(this.options.catalog, id, this.#runner, progress);
    const { succeeded, failed, state } = progress;
    span?.set({
      'turso.operation.succeeded': succeeded,
      'turso.operation.failed': failed,
      'turso.operation.state': state,
    });
    if (state === 'failed') span?.fail('failed');
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
    const { tracing } = this.options;
    const failures: { database: string; error: string }[] = [];
    const apply = async (database: DatabaseRecord): Promise<void> => {
      const work = async (span?: TraceSpan): Promise<void> => {
        const outcome = await this.#apply(operation, database, jwt);
        span?.set({ 'turso.migration.outcome': outcome });
      };
      return tracing ? tracing.part('migrate database', { 'turso.database.id': database.uuid }, work) : work();
    };
    await Promise.all(
      batch.map(async (database) => {
        try {
          await apply(database);
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

  async #apply(operation: OperationRecord, database: DatabaseRecord, authToken: string): Promise<'applied' | 'had it'> {
    const { dataUrl, retryBudgetMs, clock } = this.options;
    const label = hostLabel({ database: database.name, organization: database.addressOrganization });
    const tracedFetch = async (request: Request): Promise<Response> => this.#fetch(request);
    const client = createClient({ url: new URL(`db/${label}/`, dataUrl).href, authToken, fetch: tracedFetch });
    try {
      return await withRetry(async () => applyMigration(client, operation), {
        clock,
        budgetMs: retryBudgetMs,
        isRetriable,
      });
    } finally {
      client.close();
    }
  }

  /** A call of the client's, in the trace of the work that runs. */
  async #fetch(request: Request): Promise<Response> {
    const { attemptTimeoutMs, tracing } = this.options;
    const url = new URL(request.url);
    // Before it the path has the database's name.
    const [, version = 'other', kind] = /\/(v[0-9](?:-protobuf)?)(?:\/(pipeline|cursor))?$/.exec(url.pathname) ?? [];
    const operation = kind === undefined ? version : `${version}-${kind}`;
    return asCallSpan(tracing, { method: request.method, url, operation }, async (traced = {}) => {
      for (const [name, value] of Object.entries(traced)) request.headers.set(name, value);
      return fetch(request, { signal: AbortSignal.timeout(attemptTimeoutMs) });
    });
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
