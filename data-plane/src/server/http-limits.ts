/** What one server lets its clients do; times in milliseconds. */
export interface HttpLimits {
  readonly maxConnections: number;
  /** Longest request body. */
  readonly maxBodyBytes: number;
  /** Of all request bodies in memory together. */
  readonly maxBufferedBodyBytes: number;
  /** Request line and headers together. */
  readonly maxHeaderBytes: number;
  /** From the first byte of a request, or the opening of a connection, to the end of the headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  /** Longer than a load balancer keeps an idle connection (ALB: 60 s), so that it is never this side that closes first. */
  readonly keepAliveTimeoutMs: number;
  /** How long a client may take nothing of a streamed answer. */
  readonly stallTimeoutMs: number;
  /** How long closing waits for running requests. */
  readonly drainTimeoutMs: number;
  /** How long closing goes on to answer requests that were already on their way when it began. */
  readonly closeGraceMs: number;
}

/**
 * 32 MiB for a body: the longest statement an engine takes is far shorter, and a batch of inserts this long is better
 * sent in parts.
 */
export const defaultHttpLimits: HttpLimits = {
  maxConnections: 16_384,
  maxBodyBytes: 32 * 1024 * 1024,
  maxBufferedBodyBytes: 256 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 120_000,
  keepAliveTimeoutMs: 65_000,
  stallTimeoutMs: 30_000,
  drainTimeoutMs: 25_000,
  closeGraceMs: 100,
};
