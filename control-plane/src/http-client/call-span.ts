import { failureOf } from '@turso-byoc/data-plane/tracing/failure-of.js';
import { traceparentHeader } from '@turso-byoc/data-plane/tracing/traceparent.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';

export interface SpannedCall {
  readonly method: string;
  readonly url: URL;
  /** What its span is called: an operation, never what fills it. */
  readonly operation: string;
}

/**
 * Sends a call of a data node as a span of the work that runs, if that is traced: `send` is given the header that puts what the
 * data node does below it.
 */
export async function asCallSpan<T extends { readonly status: number }>(
  tracing: Tracing | undefined,
  { method, url, operation }: SpannedCall,
  send: (headers: Readonly<Record<string, string>> | undefined) => Promise<T>,
): Promise<T> {
  const span = tracing?.current()?.child(
    `data node ${operation}`,
    {
      'http.request.method': method,
      'server.address': url.hostname,
      'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    },
    'client',
  );
  if (!span) return send(undefined);
  try {
    const answer = await send({ [traceparentHeader]: span.traceparent });
    span.set({ 'http.response.status_code': answer.status });
    if (answer.status >= 500) span.fail(String(answer.status));
    return answer;
  } catch (error) {
    span.fail(failureOf(error));
    throw error;
  } finally {
    span.end();
  }
}
