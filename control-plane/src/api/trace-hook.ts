import type { FastifyInstance } from 'fastify';
import { beginTrace, endTrace } from '@turso-byoc/data-plane/server/request-trace.js';
import { onResponseEnd } from '@turso-byoc/data-plane/server/response-end.js';
import type { TraceSpan } from '@turso-byoc/data-plane/tracing/trace-span.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Absent when the call is not traced. */
    trace?: TraceSpan;
  }
}

/** Load balancers ask these every few seconds. */
const untraced: ReadonlySet<string | undefined> = new Set(['/health', '/ready']);

/** Makes a span of each call that is traced; what the call asks of data nodes, store and keys is put below it. */
export function registerTraceHook(app: FastifyInstance, tracing: Tracing): void {
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url;
    const trace = untraced.has(route)
      ? undefined
      : beginTrace(tracing, `${request.method} ${route ?? 'none'}`, request.headers);
    if (!trace) {
      done();
      return;
    }
    request.trace = trace;
    trace.set({ 'turso.request.id': request.id, 'http.request.method': request.method, 'http.route': route });
    onResponseEnd(request.raw, reply.raw, () =>
      endTrace(trace, reply.raw.writableFinished ? reply.raw.statusCode : undefined),
    );
    trace.run(done);
  });
  // The organization is known when the caller has been let in: before, it is any text that a path has.
  app.addHook('preHandler', (request, _reply, done) => {
    const { organization } = request as { organization?: string };
    if (organization !== undefined) request.trace?.set({ 'turso.organization': organization });
    done();
  });
}
