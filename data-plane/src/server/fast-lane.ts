/**
 * The fast lane: SQL requests that are simple on the wire are read from the connection and answered on it directly.
 * Node's HTTP server spends most of what a point select costs this process; a simple request needs none of it.
 *
 * Invariants
 * - A connection belongs to the lane or to Node's server, never to both. It begins here and is handed over, for good, at
 *   the first byte of the first request that the lane does not recognize, when everything before it is answered.
 * - The lane judges no malformed byte: what it does not recognize as simple reaches Node's parser from its first byte.
 * - Answers leave in the order of their requests.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientOrigin } from '../auth/client-origin.js';
import type { DatabaseRequestKind } from '../database/database-service.js';
import { AnswerHead } from './answer-head.js';
import { LaneConnection } from './lane-connection.js';
import { readProxyHeader } from './proxy-protocol.js';
import type { SqlEndpointOptions } from './sql-endpoint.js';

/** The connection closes by itself. */
const ignored = (): void => undefined;

type ConnectionListener = (this: Server, socket: Socket) => void;

export class FastLane {
  readonly options: SqlEndpointOptions;
  readonly routes: ReadonlyMap<string, DatabaseRequestKind>;
  readonly answerHead: AnswerHead;
  readonly #connections = new Set<LaneConnection>();
  readonly #sweepMs: number;
  #cancelSweep: (() => void) | undefined;

  constructor(options: SqlEndpointOptions, routes: ReadonlyMap<string, DatabaseRequestKind>) {
    const { limits, runtime } = options;
    this.options = options;
    this.routes = routes;
    this.answerHead = new AnswerHead(runtime, limits.keepAliveTimeoutMs);
    this.#sweepMs = Math.min(1_000, limits.headersTimeoutMs, limits.keepAliveTimeoutMs);
  }

  /** From now on connections of the server begin in the lane. */
  attach(): void {
    const { server } = this.options;
    const http = server.app.server;
    // Node's own listener is what makes a connection speak HTTP; it is called for what is handed over.
    const listeners = http.listeners('connection') as ConnectionListener[];
    http.removeAllListeners('connection');
    const begin = (socket: Socket): void => {
      const connection = new LaneConnection(this, socket, {
        handOver: () => {
          this.#forget(connection);
          for (const listener of listeners) listener.call(http, socket);
        },
        closed: () => this.#forget(connection),
      });
      this.#connections.add(connection);
      this.#armSweep();
    };
    http.on('connection', (socket: Socket) => {
      if (!this.options.proxyProtocol || !this.options.origins.isTrusted(socket)) begin(socket);
      else this.#beginBehindProxy(socket, begin);
    });
    server.onCutOff(() => {
      for (const connection of this.#connections) connection.destroy();
    });
  }

  /** A trusted proxy that does not say whom it speaks for, or takes too long to, is not listened to. */
  #beginBehindProxy(socket: Socket, begin: (socket: Socket) => void): void {
    const { origins, runtime, limits, log } = this.options;
    const refuse = (why: string): void => {
      cancel();
      log.warn({ proxy: socket.remoteAddress, why }, 'a connection of a trusted proxy was closed');
      socket.destroy();
    };
    const cancel = runtime.schedule(limits.headersTimeoutMs, () => refuse('its header did not come in time'));
    socket.once('close', cancel);
    socket.on('error', ignored);
    const proceed = (origin: ClientOrigin | undefined): void => {
      cancel();
      socket.off('close', cancel).off('error', ignored);
      if (origin !== undefined) origins.learn(socket, origin);
      begin(socket);
    };
    readProxyHeader(socket, proceed, refuse);
  }

  #forget(connection: LaneConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  /** The timer runs only while there are connections. */
  #armSweep(): void {
    if (this.#cancelSweep || this.#connections.size === 0) return;
    this.#cancelSweep = this.options.runtime.schedule(this.#sweepMs, () => {
      this.#cancelSweep = undefined;
      const nowMs = this.options.runtime.monotonicMs();
      for (const connection of this.#connections) connection.sweep(nowMs, this.#sweepMs);
      this.#armSweep();
    });
  }
}
