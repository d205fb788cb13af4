import type { IncomingHttpHeaders } from 'node:http';
import type { TraceSpan } from '../tracing/trace-span.js';
import { traceparentHeader } from '../tracing/traceparent.js';
import type { Tracing } from '../tracing/tracing.js';
import { forwardedHeader } from './forwarding.js';
import { givenRequestId } from './request-id.js';

/** The span of a request of this kind that Node's server has read; undefined when it is not traced. */
export function beginTrace(tracing: Tracing, kind: string, headers: IncomingHttpHeaders): TraceSpan | undefined {
  const traceparent = headers[traceparentHeader];
  return tracing.begin({
    kind,
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    requestId: givenRequestId(headers),
    isForwarded: headers[forwardedHeader] !== undefined,
  });
}

/** What a request was refused with: a code of the catalogue. Only what the service is to blame for makes the span one that failed. */
export function noteError(trace: TraceSpan, code: string, status: number): void {
  if (status >= 500) trace.fail(code);
  else trace.set({ 'error.type': code });
}

/** Ends it with what its client has been sent; `status` is undefined when that is not the whole answer. */
export function endTrace(trace: TraceSpan | undefined, status: number | undefined): void {
  if (status === undefined) trace?.fail('aborted');
  else trace?.set({ 'http.response.status_code': status });
  trace?.end();
}
