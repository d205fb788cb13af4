import { createClient, type InStatement, type ResultSet } from '@libsql/client';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import { pendingRecord, unrecordedCall } from '../audit/audited-call.js';
import type { MintedToken } from '../auth/token-minter.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import { errorCode } from '../errors/error-code.js';
import { isRetriable } from '../retry/retriable-errors.js';
import { withRetry } from '../retry/with-retry.js';
import { KeptAlive } from '../http-client/kept-alive.js';
import { GroupCommit } from './group-commit.js';
import { HranaClient } from './hrana-client.js';

/** How long the control plane's own token for the catalog lives; it is replaced after half of that. */
export const catalogTokenLifetimeSeconds = 3_600;

export interface CatalogConnectionOptions {
  /** Where the catalog is served, with a trailing slash. */
  readonly url: string;
  /** Makes a token for the catalog that lives `catalogTokenLifetimeSeconds`. */
  readonly mintToken: () => Promise<MintedToken>;
  /** The statement that records a token; run before a token is first used, once `startRecordingTokens` was called. */
  readonly tokenRecord: (token: MintedToken) => InStatement;
  readonly clock: Clock;
  /** How long a call keeps trying while the data plane is away. */
  readonly retryBudgetMs: number;
  /** How long one attempt may take. */
  readonly attemptTimeoutMs: number;
  readonly tracing?: Tracing | undefined;
  /** Told how each call ended, with all its attempts. */
  readonly onCall?: ((operation: 'read' | 'write', outcome: 'done' | 'failed', durationMs: number) => void) | undefined;
}

interface Client {
  execute(statement: InStatement): Promise<ResultSet>;
  batch(statements: InStatement[], mode: 'read' | 'write'): Promise<ResultSet[]>;
}

interface Session {
  readonly client: Client;
  readonly token: MintedToken;
  recorded: boolean;
}

/**
 * SQL on the catalog. Every call is repeated while the data plane is away, and an attempt whose answer was lost may have
 * taken effect: callers send only statements that may run twice.
 */
export class CatalogConnection {
  #session: Session | undefined;
  #recordsTokens = false;
  readonly #commits: GroupCommit;
  readonly #http: KeptAlive;
  /** Of a catalog in a file, as tests have it. */
  #file: (Client & { close(): void }) | undefined;

  constructor(private readonly options: CatalogConnectionOptions) {
    const { clock, retryBudgetMs, attemptTimeoutMs, tracing } = options;
    this.#http = new KeptAlive(attemptTimeoutMs, tracing);
    this.#commits = new GroupCommit({
      run: async (statements, askedAtMs) =>
        this.#attempt(
          'write',
          async (client) => client.batch(statements, 'write'),
          // Whoever waited for a group before this one has used some of it.
          retryBudgetMs - (clock.now() - askedAtMs),
        ),
      isUnreachable: (error) => isControlPlaneError(error, 'DATA_PLANE_UNAVAILABLE'),
      nowMs: () => clock.now(),
    });
  }

  /** Waits until the catalog answers. Right after a new signing key was published the data node may not know it yet. */
  async waitUntilReachable(budgetMs: number, signal: AbortSignal): Promise<void> {
    await withRetry(async () => (await this.#open()).client.execute('SELECT 1'), {
      clock: this.options.clock,
      budgetMs,
      signal,
      isRetriable: (error) => isRetriable(error) || errorCode(error) === 'AUTH_JWT_INVALID',
    });
  }

  /** From now on the catalog has the table in which tokens are recorded. */
  startRecordingTokens(): void {
    this.#recordsTokens = true;
  }

  /** The result of one statement that only reads. */
  async read(statement: InStatement): Promise<ResultSet> {
    return this.#part('read', async () => this.#attempt('read', async (client) => client.execute(statement)));
  }

  /** The results of statements that only read, all of one state of the catalog, in order. */
  async readAll(statements: InStatement[]): Promise<ResultSet[]> {
    return this.#part('read', async () => this.#attempt('read', async (client) => client.batch(statements, 'read')));
  }

  /**
   * Runs the statements in one transaction and returns their results, in order; a transaction that others share (see
   * `GroupCommit`). The first change of an audited call records the call, too.
   */
  async write(statements: InStatement[]): Promise<ResultSet[]> {
    const call = unrecordedCall();
    const add = async (all: InStatement[]): Promise<ResultSet[]> =>
      this.#part('write', async () => this.#commits.add(all));
    if (call === undefined) return add(statements);
    const [, ...results] = await add([pendingRecord(call), ...statements]);
    call.isRecorded = true;
    return results;
  }

  close(): void {
    this.#http.close();
    this.#file?.close();
    this.#session = undefined;
  }

  /** A transaction that others share has below it what was sent in the name of the first of them. */
  async #part<T>(kind: 'read' | 'write', work: () => Promise<T>): Promise<T> {
    const { tracing } = this.options;
    return tracing ? tracing.part(`catalog ${kind}`, {}, work) : work();
  }

  async #attempt<T>(
    kind: 'read' | 'write',
    operation: (client: Client) => Promise<T>,
    budgetMs = this.options.retryBudgetMs,
  ): Promise<T> {
    const { clock, onCall } = this.options;
    const startedMs = performance.now();
    try {
      const result = await withRetry(async () => operation((await this.#open()).client), {
        clock,
        budgetMs,
        isRetriable,
      });
      onCall?.(kind, 'done', performance.now() - startedMs);
      return result;
    } catch (error) {
      onCall?.(kind, 'failed', performance.now() - startedMs);
      if (!isRetriable(error)) throw error;
      throw new ControlPlaneError('DATA_PLANE_UNAVAILABLE', 'the catalog does not answer', { cause: error });
    }
  }

  async #open(): Promise<Session> {
    const { mintToken, tokenRecord, clock } = this.options;
    let session = this.#session;
    if (session === undefined || clock.now() - session.token.mintedAtMs > catalogTokenLifetimeSeconds * 500) {
      const token = await mintToken();
      session = { client: this.#connect(token), token, recorded: false };
      this.#session = session;
    }
    if (this.#recordsTokens && !session.recorded) {
      await session.client.execute(tokenRecord(session.token));
      session.recorded = true;
    }
    return session;
  }

  #connect(token: MintedToken): Client {
    const { url } = this.options;
    if (!url.startsWith('file:')) return new HranaClient(url, token.jwt, this.#http);
    this.#file ??= createClient({ url });
    return this.#file;
  }
}
