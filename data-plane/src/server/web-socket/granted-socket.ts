/**
 * What a connection over WebSockets may ask of the databases. Every request is admitted by itself, with the token of the
 * latest `hello`: a token that expires or is revoked ends what the connection may do, whenever it was opened.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { DatabaseRequest, SqlResponse } from '../../database/database-service.js';
import type { RequestKind } from '../../engine/ipc/messages.js';
import { ByocError, isByocError } from '../../errors/catalogue.js';
import { answeredError } from '../../errors/error-answer.js';
import { statusClass, type StatusClass } from '../../metering/metrics.js';
import { presentedKey } from '../client-key-headers.js';
import type { GrantedAccess } from '../database-access.js';
import { executeGranted } from '../granted-execution.js';
import { shuttingDown } from '../http-server.js';
import type { RequestTarget } from '../request-target.js';
import { beginTrace, noteError } from '../request-trace.js';
import type { SqlEndpointOptions } from '../sql-endpoint.js';

export type GrantedSocketOptions = Pick<
  SqlEndpointOptions,
  'access' | 'databases' | 'budget' | 'runtime' | 'metrics' | 'server' | 'tracing'
>;

/** What a client left open is ended although the client is gone. */
const neverAborted = new AbortController().signal;

export class GrantedSocket {
  readonly #options: GrantedSocketOptions;
  readonly #target: RequestTarget;
  readonly #headers: IncomingHttpHeaders;
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  /** What the client proves itself with; undefined before the first `hello`. */
  #authorization: { readonly header: string | undefined } | undefined;

  /** `headers`: of the request that opened the connection, on `socket`. `signal`: aborted when it closes. */
  constructor(
    options: GrantedSocketOptions,
    target: RequestTarget,
    { headers, socket }: { readonly headers: IncomingHttpHeaders; readonly socket: Socket },
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#target = target;
    this.#headers = headers;
    this.#socket = socket;
    this.#signal = signal;
  }

  get hasGreeted(): boolean {
    return this.#authorization !== undefined;
  }

  /** Takes the token of a `hello`, or that of the opening request. Throws the `AUTH_…` errors and what the service throws. */
  async greet(jwt: string | undefined): Promise<void> {
    const header = jwt === undefined ? this.#headers.authorization : `Bearer ${jwt}`;
    await this.#grant(header);
    this.#authorization = { header };
  }

  /** Throws unless the client may still use the database. */
  async admit(): Promise<void> {
    await this.#grant(this.#authorization?.header);
  }

  /**
   * Runs a body on the database; resolves with its successful answer. `continues`: a stream that the database keeps, also while
   * the node stops. `evenIfGone`: although the client has left. Throws every refusal.
   */
  async execute(
    kind: RequestKind,
    body: Buffer,
    { continues, evenIfGone = false }: { readonly continues: boolean; readonly evenIfGone?: boolean },
  ): Promise<SqlResponse> {
    const { runtime, metrics, server, tracing } = this.#options;
    if (this.#signal.aborted && !evenIfGone) throw new ByocError('STREAM_EXPIRED', 'the client went away');
    if (server.drain.state === 'closing' && !continues) throw shuttingDown();
    const startedAtMs = runtime.monotonicMs();
    // The request that opened the connection is not what it belongs to.
    const trace = tracing && beginTrace(tracing, kind, {});
    const signal = evenIfGone ? neverAborted : this.#signal;
    const run = async (): Promise<SqlResponse> => this.#run({ kind, body, signal, trace });
    let status: StatusClass = 'aborted';
    server.drain.enter();
    try {
      const answer = await (trace ? trace.run(run) : run());
      status = statusClass(answer.status);
      if (answer.status === 200) return answer;
      throw answeredError(await wholeBody(answer)) ?? new ByocError('INTERNAL', `status ${answer.status}`);
    } catch (error) {
      if (isByocError(error)) status = statusClass(error.status);
      if (trace && isByocError(error)) noteError(trace, error.code, error.status);
      throw error;
    } finally {
      server.drain.leave();
      trace?.end();
      metrics.requestEnded(kind, status, runtime.monotonicMs() - startedAtMs);
    }
  }

  async #run(asked: Pick<DatabaseRequest, 'body' | 'signal' | 'trace'> & { kind: RequestKind }): Promise<SqlResponse> {
    const { databases, budget } = this.#options;
    const header = this.#authorization?.header;
    const grant = async (): Promise<GrantedAccess> => this.#grant(header);
    const granted = await grant();
    budget.take(asked.body.length);
    try {
      const clientKey = presentedKey(this.#headers);
      return await executeGranted(databases, granted, { ...asked, isForwarded: false, clientKey }, grant);
    } finally {
      budget.giveBack(asked.body.length);
    }
  }

  async #grant(authorization: string | undefined): Promise<GrantedAccess> {
    // Not the token of the request that opened the connection: a hello replaces it.
    const { authorization: _opening, ...headers } = this.#headers;
    const presented = { ...headers, ...(authorization !== undefined && { authorization }) };
    return this.#options.access.grant(this.#target, presented, this.#socket);
  }
}

/** The body of an answer in one piece. */
export async function wholeBody({ body }: SqlResponse): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}
