/**
 * Hrana over WebSockets: takes connections over from the HTTP server, and looks after those that are open: pings, idle ones,
 * the end of the node. What is said on a connection is in `web-socket-connection.ts`.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { ByocError } from '../../errors/catalogue.js';
import { jsonCodec } from '../../hrana/socket/json-codec.js';
import { protobufCodec } from '../../hrana/socket/protobuf-codec.js';
import type { SocketCodec } from '../../hrana/socket/codec.js';
import { connectionSignal } from '../connection-signal.js';
import { parseRequestTarget } from '../request-target.js';
import type { SqlEndpointOptions } from '../sql-endpoint.js';
import { closeCodes } from './close-codes.js';
import { ignoreUpgrade } from './other-upgrade.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import { WebSocketConnection } from './web-socket-connection.js';
import { defaultWebSocketLimits, type WebSocketLimits } from './web-socket-limits.js';

const codecs: ReadonlyMap<string, SocketCodec> = new Map([
  ['hrana1', jsonCodec],
  ['hrana2', jsonCodec],
  ['hrana3', jsonCodec],
  ['hrana3-protobuf', protobufCodec],
]);
/** A client that offers nothing speaks the first version. */
const withoutSubprotocol = jsonCodec;
const paths: ReadonlySet<string> = new Set(['/', '/v1', '/v2', '/v3', '/v3-protobuf']);
/** How long a connection that was told to close may take to do so. */
const closeGraceMs = 200;

export interface WebSocketEndpointOptions extends SqlEndpointOptions {
  readonly webSocketLimits?: Partial<WebSocketLimits>;
}

export class WebSocketEndpoint {
  readonly #options: WebSocketEndpointOptions;
  readonly #limits: WebSocketLimits;
  readonly #server: WebSocketServer;
  readonly #connections = new Set<WebSocketConnection>();
  #cancelSweep: (() => void) | undefined;

  constructor(options: WebSocketEndpointOptions) {
    this.#options = options;
    this.#limits = { ...defaultWebSocketLimits, ...options.webSocketLimits };
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: this.#limits.maxMessageBytes,
      // Compression costs more memory for each connection than everything else here.
      perMessageDeflate: false,
      handleProtocols: (offered) => supported(offered) ?? false,
    });
    this.#server.on('wsClientError', (error, socket, request) => {
      this.#refuse(request, socket, new ByocError('MALFORMED_REQUEST', error.message, { cause: error }));
    });
  }

  /** The number of open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** From now on the HTTP server's connections can become WebSockets. */
  attach(): void {
    const { server } = this.#options;
    const http = server.app.server;
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.headers.upgrade?.toLowerCase() === 'websocket') this.#upgrade(request, socket, head);
      else ignoreUpgrade(http, request, socket, head);
    });
    server.drain.onLeave(() => {
      for (const connection of this.#connections) connection.leave();
    });
    server.onCutOff(() => {
      for (const connection of this.#connections) connection.close(closeCodes.restart, 'the node is stopping');
      this.#options.runtime.schedule(closeGraceMs, () => {
        for (const connection of this.#connections) connection.destroy();
      });
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { server } = this.#options;
    const target = parseRequestTarget(request.url ?? '/');
    if (server.drain.isLeaving) {
      this.#refuse(request, socket, new ByocError('SHUTTING_DOWN', 'this node is stopping'));
      return;
    }
    if (!paths.has(target.path)) {
      this.#refuse(request, socket, new ByocError('ROUTE_NOT_FOUND', `there is no WebSocket at ${target.path}`));
      return;
    }
    const offered = request.headers['sec-websocket-protocol'];
    const names = offered === undefined ? [] : offered.split(',').map((name) => name.trim());
    const chosen = supported(names);
    if (names.length > 0 && chosen === undefined) {
      this.#refuse(
        request,
        socket,
        new ByocError('MALFORMED_REQUEST', `the subprotocols spoken here are ${[...codecs.keys()].join(', ')}`),
      );
      return;
    }
    const codec = (chosen === undefined ? undefined : codecs.get(chosen)) ?? withoutSubprotocol;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new WebSocketConnection(
        { ...this.#options, limits: this.#limits, httpLimits: this.#options.limits },
        {
          webSocket,
          signal: connectionSignal(request.socket),
          codec,
          target,
          headers: request.headers,
          socket: request.socket,
        },
        () => this.#forget(connection),
      );
      this.#connections.add(connection);
      this.#armSweep();
    });
  }

  #refuse(request: IncomingMessage, socket: Duplex, error: ByocError): void {
    refuseUpgrade(socket, this.#options.server.errors.refuse(error, request.method, request.url ?? '/'));
  }

  #forget(connection: WebSocketConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  /** The timer runs only while there are connections. */
  #armSweep(): void {
    if (this.#cancelSweep || this.#connections.size === 0) return;
    const { runtime } = this.#options;
    const { keepAliveMs, pingMs } = this.#limits;
    this.#cancelSweep = runtime.schedule(Math.min(keepAliveMs, pingMs), () => {
      this.#cancelSweep = undefined;
      const nowMs = runtime.monotonicMs();
      for (const connection of this.#connections) connection.sweep(nowMs);
      this.#armSweep();
    });
  }
}

/** The first offer that is spoken here. */
function supported(offered: Iterable<string>): string | undefined {
  for (const name of offered) if (codecs.has(name)) return name;
  return undefined;
}
