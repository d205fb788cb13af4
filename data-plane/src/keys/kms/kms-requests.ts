import { KMSClient } from '@aws-sdk/client-kms';
import { jitteredDelayMs } from '../../aws/jittered-delay.js';
import { pooledHandler } from '../../aws/pooled-handler.js';
import { RetryBudget } from '../../aws/retry-budget.js';
import type { Runtime } from '../../runtime.js';
import type { Answered } from '../observed-use.js';
import { isTransient, kmsFailure, requestIdOf } from './kms-failure.js';
import type { ResolvedKmsOptions } from './kms-options.js';

/** What every answer of the SDK carries. */
interface Output {
  readonly $metadata: { readonly requestId?: string | undefined };
}

/** Closed before the service does it. */
const idleConnectionMs = 10_000;

/**
 * Sends requests to KMS, each again while it fails in a way that may pass. None changes anything at the service, so that
 * doing one twice does no harm.
 */
export class KmsRequests {
  readonly #client: KMSClient;
  readonly #runtime: Runtime;
  readonly #options: ResolvedKmsOptions;
  readonly #budget = new RetryBudget();

  constructor(runtime: Runtime, options: ResolvedKmsOptions) {
    this.#runtime = runtime;
    this.#options = options;
    const { region, endpoint, credentials, maxConnections } = options;
    this.#client = new KMSClient({
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials && { credentials }),
      requestHandler: pooledHandler({ maxConnections, idleConnectionMs }),
      // Tried again here, where time and budget are the node's own.
      maxAttempts: 1,
    });
  }

  /** The region that requests go to. Throws the SDK's error when none is named anywhere. */
  async region(): Promise<string> {
    return this.#client.config.region();
  }

  /** Runs one request; `what` is for the message. Throws `KeyRefusedError`, `KeyMismatchError`, `KeyServiceUnavailableError`. */
  async run<T extends Output>(
    what: string,
    answered: Answered,
    send: (client: KMSClient, options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const output = await this.#attempt(send);
        answered(output.$metadata.requestId);
        this.#budget.succeeded();
        return output;
      } catch (error) {
        answered(requestIdOf(error));
        if (!isTransient(error) || attempt >= this.#options.attempts || !this.#budget.take()) {
          throw kmsFailure(what, error);
        }
      }
      await this.#runtime.sleep(jitteredDelayMs(this.#runtime, attempt));
    }
  }

  async #attempt<T>(send: (client: KMSClient, options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const { attemptTimeoutMs } = this.#options;
    let timedOut: Error | undefined;
    const cancel = this.#runtime.schedule(attemptTimeoutMs, () => {
      timedOut = new Error(`no answer came for ${attemptTimeoutMs} ms`);
      controller.abort();
    });
    try {
      return await send(this.#client, { abortSignal: controller.signal });
    } catch (error) {
      throw timedOut ?? error;
    } finally {
      cancel();
    }
  }

  /** Closes the connections. */
  close(): void {
    this.#client.destroy();
  }
}
