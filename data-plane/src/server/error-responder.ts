import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';
import type { Metrics } from '../metering/metrics.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import { corsHeaders } from './cors.js';
import { ClientGoneError, endAfterUpload, uploadRemains } from './request-body.js';
import { givenRequestId } from './request-id.js';
import { parseRequestTarget } from './request-target.js';
import { noteError } from './request-trace.js';
import { ClientStalledError } from './response-stream.js';
import { withoutTokens } from './without-tokens.js';

/** A failed request, and what its client is told. */
export interface Refusal {
  readonly error: ByocError;
  readonly requestId: string;
  /** JSON. */
  readonly body: string;
}

/**
 * Answers failed requests: JSON with content type exactly `application/json` (official clients compare the whole
 * string), the request id in `x-request-id` (the client's own, or a fresh one), the same id in the log.
 */
export class ErrorResponder {
  constructor(
    private readonly log: Logger,
    private readonly metrics: Metrics,
    private readonly runtime: Pick<Runtime, 'randomBytes' | 'schedule'>,
  ) {}

  newRequestId(): string {
    return this.runtime.randomBytes(8).toString('hex');
  }

  /** Ends the answer of a request that failed, or whose client went away (`signal`) or takes nothing any more. */
  end(
    request: IncomingMessage,
    response: ServerResponse,
    thrown: unknown,
    signal: AbortSignal,
    trace: TraceSpan | undefined,
  ): void {
    if (thrown instanceof ClientGoneError || signal.aborted) {
      this.log.debug({ err: thrown }, 'the client went away before its answer was complete');
      response.destroy();
    } else if (thrown instanceof ClientStalledError) {
      this.log.info({ err: thrown }, 'a streamed answer was cut off');
      response.destroy();
    } else {
      this.send(request, response, thrown, {}, trace);
    }
  }

  /**
   * Ends `response` with the error, or cuts the connection when an answer is already on its way: a truncated answer
   * must not look whole.
   */
  send(
    request: IncomingMessage,
    response: ServerResponse,
    thrown: unknown,
    headers: OutgoingHttpHeaders = {},
    trace?: TraceSpan,
  ): void {
    const given = givenRequestId(request.headers);
    const { error, requestId, body } = this.refuse(thrown, request.method, sentTarget(request), given, trace);
    if (response.destroyed || response.writableEnded) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const remains = uploadRemains(request);
    if (remains || error.code === 'SHUTTING_DOWN') response.shouldKeepAlive = false;
    response.writeHead(error.status, {
      ...corsHeaders,
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-request-id': requestId,
    });
    if (remains) endAfterUpload(request, response, body, this.runtime);
    else response.end(body);
  }

  /**
   * Takes note of a failed request, whose target is as the client sent it, and `given` what that called it; returns what it
   * is to be answered with.
   */
  refuse(thrown: unknown, method: string | undefined, target: string, given?: string, trace?: TraceSpan): Refusal {
    const error = toByocError(thrown);
    const requestId = given ?? this.newRequestId();
    this.metrics.refused(error.code);
    // Neither the query nor any header: both may carry a token.
    const { path, label } = parseRequestTarget(target);
    const fields = {
      requestId,
      code: error.code,
      status: error.status,
      method,
      path: withoutTokens(path),
      label: label === undefined ? undefined : withoutTokens(label),
      traceId: trace?.traceId,
    };
    trace?.set({ 'turso.request.id': requestId });
    if (trace) noteError(trace, error.code, error.status);
    if (error.status === 500) this.log.error({ ...fields, err: error }, 'request failed');
    else if (error.status > 500) this.log.warn({ ...fields, err: error }, 'request failed');
    else this.log.debug({ ...fields, reason: withoutTokens(error.message) }, 'request refused');
    return { error, requestId, body: JSON.stringify(errorBody(error)) };
  }
}

/** The request target as the client sent it; the framework keeps it beside the rewritten one. */
function sentTarget(request: IncomingMessage & { readonly originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? '';
}

/** The error of the catalogue that a thrown value stands for; what it was stays its cause. */
export function toByocError(thrown: unknown): ByocError {
  if (isByocError(thrown)) return thrown;
  if (thrown instanceof StoreUnavailableError) {
    return new ByocError('STORE_UNAVAILABLE', 'the object store does not answer', { cause: thrown });
  }
  if (thrown instanceof OutcomeUnknownError) {
    return new ByocError('OUTCOME_UNKNOWN', 'the object store did not confirm a write', { cause: thrown });
  }
  const status = frameworkStatus(thrown);
  const message = thrown instanceof Error ? withoutTokens(thrown.message) : 'the request is malformed';
  if (status === 413) return new ByocError('REQUEST_TOO_LARGE', message, { cause: thrown });
  if (status !== undefined && status < 500) return new ByocError('MALFORMED_REQUEST', message, { cause: thrown });
  return new ByocError('INTERNAL', 'the request failed because of an internal error', { cause: thrown });
}

/** HTTP status of an error that the web framework made (its codes start with `FST_`) or found by a schema. */
function frameworkStatus(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('statusCode' in thrown)) return undefined;
  const { code, statusCode } = thrown;
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : undefined;
}
