import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/** The SDK's HTTP handler on a bounded pool of kept connections. */
export function pooledHandler(limits: {
  readonly maxConnections: number;
  readonly idleConnectionMs: number;
}): NodeHttpHandler {
  const pool = {
    keepAlive: true,
    maxSockets: limits.maxConnections,
    maxFreeSockets: limits.maxConnections,
    scheduling: 'lifo',
    timeout: limits.idleConnectionMs,
    noDelay: true,
  } as const;
  return new NodeHttpHandler({
    httpAgent: new HttpAgent(pool),
    httpsAgent: new HttpsAgent(pool),
    // The wait for a connection is bounded by each request's own timeout; a full pool is no reason for a warning.
    socketAcquisitionWarningTimeout: 2 ** 31 - 1,
  });
}
