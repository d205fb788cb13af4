import { types } from 'node:util';
import type { NodeHttpHandler, NodeHttpHandlerOptions } from '@smithy/node-http-handler';
import { pooledHandler } from '../../aws/pooled-handler.js';
import { isConnectError } from './failed-request.js';
import type { ResolvedS3Options } from './s3-store-options.js';

/** No whole answer came; the cause says what the network did. */
class TransportError extends Error {
  override readonly name = 'TransportError';
}

type Handle = NodeHttpHandler['handle'];

/**
 * The SDK's HTTP handler on a bounded pool of kept connections, which remembers of every request, by its abort signal,
 * whether any of it can have left this machine.
 */
export class WatchedHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #handler: NodeHttpHandler;
  readonly #begun = new WeakSet<object>();

  constructor({ maxConnections, idleConnectionMs }: ResolvedS3Options) {
    this.#handler = pooledHandler({ maxConnections, idleConnectionMs });
  }

  handle = async (...[request, options]: Parameters<Handle>): ReturnType<Handle> => {
    const signal: unknown = options?.abortSignal;
    const isWatched = typeof signal === 'object' && signal !== null;
    if (isWatched) this.#begun.add(signal);
    try {
      return await this.#handler.handle(request, options);
    } catch (error) {
      if (isWatched && isConnectError(error)) this.#begun.delete(signal);
      throw new TransportError(types.isNativeError(error) ? error.message : String(error), { cause: error });
    }
  };

  /** Whether the request with this signal may have reached the service. */
  mayHaveBeenSent(signal: AbortSignal): boolean {
    return this.#begun.has(signal);
  }

  updateHttpClientConfig(key: keyof NodeHttpHandlerOptions, value: NodeHttpHandlerOptions[typeof key]): void {
    this.#handler.updateHttpClientConfig(key, value);
  }

  httpHandlerConfigs(): NodeHttpHandlerOptions {
    return this.#handler.httpHandlerConfigs();
  }

  destroy(): void {
    this.#handler.destroy();
  }
}
