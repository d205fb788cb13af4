/**
 * Passes requests on to other nodes over HTTP, with the token that the client sent: the other node admits them itself, so
 * that no node, and nobody on the network between them, can do more than the client could.
 */
import type { Logger } from 'pino';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { DatabaseDescription, NewDatabase, DatabaseRequest, SqlResponse } from '../database/database-service.js';
import type { FileAnswer, FileRequest } from '../database/file-request.js';
import { PeerUnreachableError, type Peer, type Peers } from '../database/peers.js';
import { ByocError, type ErrorCode } from '../errors/catalogue.js';
import { answeredError } from '../errors/error-answer.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { WrappingChange } from '../database/change-wrapping.js';
import type { EncryptionState } from '../database/encryption-state.js';
import type { HoldChange, HoldRelease, HoldState } from '../database/hold-database.js';
import type { RekeyRequest } from '../database/rekey-database.js';
import type { DumpSeed } from '../database/seed-from-dump.js';
import type { ShredRequest } from '../database/shred-database.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import { adminPrefix } from './admin-server.js';
import { failureOf } from '../tracing/failure-of.js';
import { traceparentHeader } from '../tracing/traceparent.js';
import { presentedHeaders } from './client-key-headers.js';
import { originHeader, type ClientOrigins } from './client-origins.js';
import { filePath } from './file-routes.js';
import { forwardedHeader } from './forwarding.js';
import { givenRequestId, requestIdHeader } from './request-id.js';
import { noteError } from './request-trace.js';
import { sqlPath } from './sql-routes.js';

export interface HttpPeersOptions {
  readonly adminCredential: string;
  /** Says to other nodes where clients are. */
  readonly origins: ClientOrigins;
  /** What this node calls itself in the header of forwarded requests. */
  readonly name: string;
  /** A node that does not accept a connection for this long counts as unreachable. */
  readonly connectTimeoutMs: number;
  readonly log: Logger;
}

/** Answers with these codes come from a node that did nothing with the request. */
const notTaken = new Set<ErrorCode>(['DATABASE_MOVED', 'SHUTTING_DOWN', 'NOT_READY']);
/** Shorter than a server keeps an idle connection, so that it is never a closed one that is used again. */
const idleConnectionMs = 30_000;
const connectionsPerPeer = 256;
const pullsPerPeer = 2_048;

/** Where a client's request goes on another node. */
interface PeerTarget {
  readonly method: string;
  readonly path: string;
  /** Content type of its body. */
  readonly type: string;
  readonly agent?: Agent;
}

export class HttpPeers implements Peers {
  readonly #options: HttpPeersOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: connectionsPerPeer, timeout: idleConnectionMs });
  /** Pulls may wait long for something new: they must not take the connections of what is answered at once. */
  readonly #pullAgent = new Agent({ keepAlive: true, maxSockets: pullsPerPeer, timeout: idleConnectionMs });
  readonly #underWay = new Map<NodeEpoch, Set<AbortController>>();

  constructor(options: HttpPeersOptions) {
    this.#options = options;
  }

  async execute(peer: Peer, request: DatabaseRequest): Promise<SqlResponse> {
    const agent = request.kind === 'pull-updates' ? this.#pullAgent : this.#agent;
    const target = { method: 'POST', path: sqlPath(request.kind), type: 'application/json', agent };
    const { response, end } = await this.#pass(peer, target, request);
    try {
      if (response.headers['content-length'] === undefined && response.statusCode === 200) {
        return { status: 200, body: streamed(response, end) };
      }
      const body = await whole(response);
      end();
      assertTaken(response, body);
      const requestId = this.#noteRefusal(peer, request, response, body);
      return { status: response.statusCode ?? 500, body, requestId };
    } catch (error) {
      end();
      throw error;
    }
  }

  async serveFile(peer: Peer, request: FileRequest): Promise<FileAnswer> {
    const { operation } = request;
    const sent =
      operation.kind === 'upload-start'
        ? { ...request, body: Buffer.from(JSON.stringify({ db_size_bytes: operation.sizeBytes })) }
        : request;
    const target = { ...filePath(operation), type: 'application/octet-stream' };
    const { response, end } = await this.#pass(peer, target, sent);
    try {
      const length = response.headers['content-length'];
      if (response.statusCode === 200 && operation.kind === 'replica-export') {
        const type = 'application/octet-stream';
        const body = streamed(response, end);
        return { status: 200, type, body, ...(length !== undefined && { sizeBytes: Number(length) }) };
      }
      const body = await whole(response);
      end();
      assertTaken(response, body);
      this.#noteRefusal(peer, request, response, body);
      const isBytes = response.headers['content-type'] === 'application/octet-stream';
      const type = isBytes ? 'application/octet-stream' : 'application/json';
      return { status: response.statusCode ?? 500, type, body };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Sends a client's request on as the client would have; `end` is to be called when its answer was taken. */
  async #pass(
    peer: Peer,
    { method, path, type, agent = this.#agent }: PeerTarget,
    {
      admission,
      clientKey,
      signal,
      body,
      requestId,
      trace,
    }: Pick<DatabaseRequest, 'admission' | 'clientKey' | 'signal' | 'body' | 'requestId' | 'trace'>,
  ): Promise<{ readonly response: IncomingMessage; readonly end: () => void }> {
    const { label, authorization, client } = admission;
    const controller = this.#begin(peer);
    const { address } = peer;
    const hop = trace?.child('forward', { 'server.address': address.host, 'server.port': address.httpPort }, 'client');
    const abort = (): void => controller.abort();
    signal.addEventListener('abort', abort, { once: true });
    const end = (): void => {
      signal.removeEventListener('abort', abort);
      this.#end(peer, controller);
    };
    try {
      const response = await this.#send(
        {
          host: address.host,
          port: address.httpPort,
          method,
          path: `/db/${label}${path}`,
          headers: {
            ...presentedHeaders(clientKey),
            ...(requestId !== undefined && { [requestIdHeader]: requestId }),
            ...(hop && { [traceparentHeader]: hop.traceparent }),
            ...(client && { [originHeader]: this.#options.origins.sign(client(), label) }),
            authorization,
            'content-type': type,
            'content-length': body.length,
          },
          signal: controller.signal,
          agent,
        },
        body,
      );
      hop?.set({ 'http.response.status_code': response.statusCode });
      return { response, end };
    } catch (error) {
      hop?.fail(failureOf(error));
      end();
      throw error;
    } finally {
      hop?.end();
    }
  }

  /** Tells the log of an error that another node answered with, as that one tells its own; returns what that one calls it. */
  #noteRefusal(
    { address: { host, httpPort } }: Peer,
    { requestId: given, admission, trace }: Pick<DatabaseRequest, 'requestId' | 'admission' | 'trace'>,
    { headers, statusCode: status = 500 }: IncomingMessage,
    body: Buffer,
  ): string | undefined {
    if (status < 400) return undefined;
    const requestId = given ?? givenRequestId(headers);
    const { label } = admission;
    const code = answeredError(body)?.code;
    if (trace && code !== undefined) noteError(trace, code, status);
    const fields = { requestId, code, status, label, node: `${host}:${httpPort}`, traceId: trace?.traceId };
    this.#options.log[status >= 500 ? 'warn' : 'debug'](fields, 'a request that was passed on was refused');
    return requestId;
  }

  async delete(peer: Peer, id: DatabaseId): Promise<void> {
    await this.#administer(peer, 'DELETE', `/databases/${id}`);
  }

  async collect(peer: Peer, id: DatabaseId): Promise<void> {
    await this.#administer(peer, 'POST', `/databases/${id}/collect`);
  }

  async rewrap(peer: Peer, id: DatabaseId, keyId: string): Promise<boolean> {
    const content = Buffer.from(JSON.stringify({ keyId }));
    const answer = await this.#administer(peer, 'POST', `/databases/${id}/rewrap`, content);
    return (JSON.parse(answer.toString('utf8')) as { changed: boolean }).changed;
  }

  async rekey(peer: Peer, id: DatabaseId, request: RekeyRequest): Promise<EncryptionState> {
    const content = Buffer.from(JSON.stringify(request));
    const answer = await this.#administer(peer, 'POST', `/databases/${id}/rekey`, content);
    return (JSON.parse(answer.toString('utf8')) as { encryption: EncryptionState }).encryption;
  }

  async changeWrapping(peer: Peer, id: DatabaseId, change: WrappingChange): Promise<EncryptionState> {
    const content = Buffer.from(JSON.stringify(change));
    const answer = await this.#administer(peer, 'POST', `/databases/${id}/encryption`, content);
    return (JSON.parse(answer.toString('utf8')) as { encryption: EncryptionState }).encryption;
  }

  async shred(peer: Peer, id: DatabaseId, request: ShredRequest): Promise<ShredCertificate> {
    const content = Buffer.from(JSON.stringify(request));
    const answer = await this.#administer(peer, 'POST', `/databases/${id}/shred`, content);
    return (JSON.parse(answer.toString('utf8')) as { certificate: ShredCertificate }).certificate;
  }

  async changeHold(peer: Peer, id: DatabaseId, change: HoldChange): Promise<HoldState> {
    const answer =
      change.kind === 'place'
        ? await this.#administer(peer, 'PUT', `/databases/${id}/hold`, Buffer.from(JSON.stringify(change.hold)))
        : await this.#administer(peer, 'DELETE', `/databases/${id}/hold?${releaseQuery(change.release)}`);
    return (JSON.parse(answer.toString('utf8')) as { hold: HoldState }).hold;
  }

  async loadDump(peer: Peer, id: DatabaseId, seed: DumpSeed): Promise<void> {
    await this.#administer(peer, 'POST', `/databases/${id}/dump`, Buffer.from(JSON.stringify(seed)));
  }

  async topStatements(peer: Peer, id: DatabaseId, sinceMs: number): Promise<ShapedCosts[]> {
    const answer = await this.#administer(peer, 'GET', `/databases/${id}/statements?since=${sinceMs}`);
    return (JSON.parse(answer.toString('utf8')) as { statements: ShapedCosts[] }).statements;
  }

  async branch(peer: Peer, child: NewDatabase): Promise<DatabaseDescription> {
    const answer = await this.#administer(peer, 'POST', '/databases', Buffer.from(JSON.stringify(child)));
    return (JSON.parse(answer.toString('utf8')) as { database: DatabaseDescription }).database;
  }

  /** A call of the other node's admin interface. Throws its error when it refuses. */
  async #administer(peer: Peer, method: string, path: string, content?: Buffer): Promise<Buffer> {
    const controller = this.#begin(peer);
    try {
      const response = await this.#send(
        {
          host: peer.address.host,
          port: peer.address.adminPort,
          method,
          path: adminPrefix + path,
          headers: {
            authorization: `Bearer ${this.#options.adminCredential}`,
            ...(content && { 'content-type': 'application/json', 'content-length': content.length }),
          },
          signal: controller.signal,
        },
        content,
      );
      const body = await whole(response);
      if (response.statusCode === 200) return body;
      assertTaken(response, body);
      throw refusal(response, body);
    } finally {
      this.#end(peer, controller);
    }
  }

  abandon(epoch: NodeEpoch): void {
    for (const controller of this.#underWay.get(epoch) ?? []) controller.abort();
  }

  /** Closes idle connections. */
  close(): void {
    this.#agent.destroy();
    this.#pullAgent.destroy();
  }

  #begin({ epoch }: Peer): AbortController {
    const controller = new AbortController();
    const controllers = this.#underWay.get(epoch) ?? new Set();
    this.#underWay.set(epoch, controllers.add(controller));
    return controller;
  }

  #end({ epoch }: Peer, controller: AbortController): void {
    const controllers = this.#underWay.get(epoch);
    controllers?.delete(controller);
    if (controllers?.size === 0) this.#underWay.delete(epoch);
  }

  /** Resolves with the head of the answer. Nothing was sent when this rejects with `PeerUnreachableError`. */
  async #send(options: RequestOptions, body?: Buffer): Promise<IncomingMessage> {
    const { name, connectTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      let isConnected = false;
      const request = httpRequest({
        agent: this.#agent,
        ...options,
        headers: { ...(options.headers as Record<string, string>), [forwardedHeader]: name },
      });
      request.once('socket', (socket) => {
        // A connection that was used before may have carried the request out before it broke.
        if (!socket.connecting) {
          isConnected = true;
          return;
        }
        const giveUp = (): void => void request.destroy(new Error(`no connection within ${connectTimeoutMs} ms`));
        socket.setTimeout(connectTimeoutMs, giveUp);
        socket.once('connect', () => {
          isConnected = true;
          socket.off('timeout', giveUp);
          socket.setTimeout(0);
        });
      });
      request.once('response', resolve);
      request.once('error', (cause) => {
        reject(
          isConnected
            ? new ByocError('OUTCOME_UNKNOWN', 'the node that serves the database ended while the request ran', {
                cause,
              })
            : new PeerUnreachableError(`${String(options.host)}:${String(options.port)} cannot be reached`, { cause }),
        );
      });
      request.end(body);
    });
  }
}

function releaseQuery({ reference, requestedBy }: HoldRelease): string {
  return new URLSearchParams({ reference, requestedBy }).toString();
}

async function whole(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw new ByocError('OUTCOME_UNKNOWN', 'the answer of the node that serves the database broke off', { cause });
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

async function* streamed(response: IncomingMessage, ended: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } finally {
    ended();
  }
}

/** Throws when the answer says that the other node did not take the request. */
function assertTaken({ statusCode }: IncomingMessage, body: Buffer): void {
  if (statusCode !== 503) return;
  const code = answeredError(body)?.code;
  if (code && notTaken.has(code)) throw new ByocError(code, 'another node did not take the request');
}

/** The error of the catalogue that another node answered with. */
function refusal({ statusCode }: IncomingMessage, body: Buffer): ByocError {
  return answeredError(body) ?? new ByocError('INTERNAL', `another node answered with status ${String(statusCode)}`);
}
