import type { FastifyInstance, FastifyRequest } from 'fastify';
import { orderedUuid } from '@turso-byoc/data-plane/identity.js';
import type { AuditEntry } from '../audit/audit-entry.js';
import { runAudited, type AuditedCall } from '../audit/audited-call.js';
import type { ApiContext } from './api-context.js';

declare module 'fastify' {
  interface FastifyRequest {
    auditedCall: AuditedCall | undefined;
  }
}

/** Makes every call of a route that has an audit code an entry of the audit log, once it changes something. */
export function registerAuditHooks(app: FastifyInstance, context: ApiContext): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const code = request.routeOptions.config.route?.audit;
    if (code === undefined) {
      done();
      return;
    }
    const call = newCall(request, code, context);
    request.auditedCall = call;
    context.audit.opened(call);
    runAudited(call, done);
  });
  // Before the answer leaves, and also when nobody waits for it any more.
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.auditedCall) context.audit.closed(request.auditedCall, outcomeOf(reply.statusCode));
    return payload;
  });
}

function newCall(request: FastifyRequest, code: string, context: ApiContext): AuditedCall {
  const parameters = request.params as Record<string, string>;
  const { organization: _organization, ...named } = parameters;
  const target = Object.values(named).join(' ');
  // A public route knows neither who calls nor an organization.
  const { principal, organization = '' } = request as Partial<Pick<FastifyRequest, 'principal' | 'organization'>>;
  return {
    isRecorded: false,
    draft: {
      id: orderedUuid(context.clock.now()),
      code,
      message: target === '' ? code : `${code} ${target}`,
      origin: request.headers['tursocliversion'] === undefined ? 'api' : 'cli',
      author: principal?.user.username ?? 'nobody',
      organization,
      created_at: new Date(context.clock.now()).toISOString(),
      ip: request.ip,
      // Never the body: it may hold a key.
      data: {
        ...named,
        request: request.id,
        by_token: principal?.tokenId,
      },
    },
  };
}

function outcomeOf(status: number): AuditEntry['outcome'] {
  if (status < 400) return 'done';
  return status < 500 ? 'refused' : 'failed';
}
