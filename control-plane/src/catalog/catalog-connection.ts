import { createClient, type Client, type InStatement, type ResultSet } from '@libsql/client';
import { pendingRecord, unrecordedCall } from '../audit/audited-call.js';
import type { MintedToken } from '../auth/token-minter.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { errorCode } from '../errors/error-code.js';
import { isRetriable } from '../retry/retriable-errors.js';
import { withRetry } from '../retry/with-retry.js';

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
  /** Told how each call ended, with all its attempts. */
  readonly onCall?: ((operation: 'read' | 'write', outcome: 'done' | 'failed', durationMs: number) => void) | undefined;
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

  constructor(private readonly options: CatalogConnectionOptions) {}

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
    return this.#attempt('read', async (client) => client.execute(statement));
  }

  /**
   * Runs the statements in one transaction and returns their results, in order. The first change of an audited call
   * records the call, too.
   */
  async write(statements: InStatement[]): Promise<ResultSet[]> {
    const call = unrecordedCall();
    if (call === undefined) return this.#attempt('write', async (client) => client.batch(statements, 'write'));
    const [, ...results] = await this.#attempt('write', async (client) =>
      client.batch([pendingRecord(call), ...statements], 'write'),
    );
    call.isRecorded = true;
    return results;
  }

  close(): void {
    this.#session?.client.close();
    this.#session = undefined;
  }

  async #attempt<T>(kind: 'read' | 'write', operation: (client: Client) => Promise<T>): Promise<T> {
    const { clock, retryBudgetMs, onCall } = this.options;
    const startedMs = performance.now();
    try {
      const result = await withRetry(async () => operation((await this.#open()).client), {
        clock,
        budgetMs: retryBudgetMs,
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
    const { url, mintToken, tokenRecord, clock, attemptTimeoutMs } = this.options;
    let session = this.#session;
    if (session === undefined || clock.now() - session.token.mintedAtMs > catalogTokenLifetimeSeconds * 500) {
      const token = await mintToken();
      const timedFetch = async (input: Parameters<typeof fetch>[0]): Promise<Response> =>
        fetch(input, { signal: AbortSignal.timeout(attemptTimeoutMs) });
      const client = createClient({ url, authToken: token.jwt, fetch: timedFetch });
      // The old client is not closed: calls that still run on it keep its token, and it holds no connection of its own.
      session = { client, token, recorded: false };
      this.#session = session;
    }
    if (this.#recordsTokens && !session.recorded) {
      await session.client.execute(tokenRecord(session.token));
      session.recorded = true;
    }
    return session;
  }
}
