import type { FastifyInstance } from 'fastify';

/** Any web page may call: what protects a database is its token, which no browser sends by itself. */
export const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-request-id',
} as const;

/** A day; browsers cap it at what they like. */
const maxAgeSeconds = '86400';

/** Answers every preflight request. The wished-for headers are echoed, because `*` does not cover `Authorization`. */
export function registerPreflight(app: FastifyInstance): void {
  app.options('*', (request, reply) => {
    const wished = request.headers['access-control-request-headers'];
    return reply
      .code(204)
      .headers({
        ...corsHeaders,
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
        'access-control-max-age': maxAgeSeconds,
        vary: 'access-control-request-headers',
        ...(wished === undefined ? {} : { 'access-control-allow-headers': wished }),
      })
      .send();
  });
}
