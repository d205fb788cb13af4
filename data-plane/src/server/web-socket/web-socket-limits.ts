/** What one connection over WebSockets may do; times in milliseconds. */
export interface WebSocketLimits {
  /**
   * Longest message. Messages are read in the I/O process, which serves every database, so this is less than a body over
   * HTTP may have.
   */
  readonly maxMessageBytes: number;
  /** Open at the same time. Each runs one request at a time, so no more requests run. */
  readonly maxStreams: number;
  /** Requests without an answer; beyond it nothing more is read from the connection. */
  readonly maxPendingRequests: number;
  /** Of the requests without an answer together. */
  readonly maxPendingBytes: number;
  /** SQL texts stored at the same time, and the length of one. */
  readonly maxStoredTexts: number;
  readonly maxStoredTextBytes: number;
  /** What the client has not taken; beyond it no request begins and nothing more is read. */
  readonly maxUnsentBytes: number;
  /** From the opening of the connection to the first `hello`. */
  readonly helloTimeoutMs: number;
  /** A ping is sent this often, and who has not answered the one before is gone. Shorter than proxies keep a silent connection. */
  readonly pingMs: number;
  /** How long one message to a client may be on its way. */
  readonly stallTimeoutMs: number;
  /** A client that asks for nothing this long is asked to connect again. */
  readonly idleTimeoutMs: number;
  /** How long a node that stops waits for what is open on a connection: as long as a transaction may last, and some. */
  readonly leaveTimeoutMs: number;
  /** Streams that must be kept are used this often, so that they live as long as the connection. */
  readonly keepAliveMs: number;
  /** How much of a cursor one `fetch_cursor` brings at most, in bytes. */
  readonly maxFetchBytes: number;
}

export const defaultWebSocketLimits: WebSocketLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxStreams: 128,
  maxPendingRequests: 256,
  maxPendingBytes: 8 * 1024 * 1024,
  maxStoredTexts: 128,
  maxStoredTextBytes: 16 * 1024,
  maxUnsentBytes: 1024 * 1024,
  helloTimeoutMs: 10_000,
  pingMs: 20_000,
  stallTimeoutMs: 120_000,
  idleTimeoutMs: 600_000,
  leaveTimeoutMs: 6_000,
  keepAliveMs: 4_000,
  maxFetchBytes: 256 * 1024,
};
