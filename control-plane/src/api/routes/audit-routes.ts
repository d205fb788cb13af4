import type { FastifyInstance } from 'fastify';
import type { AuditEntry } from '../../audit/audit-entry.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, operatorToken } from '../define-route.js';
import { anything, input, integer, list, object, text } from '../schemas.js';

const number = { type: 'string', pattern: '^(?:[1-9][0-9]{0,5})?$' } as const;
const maxPageSize = 1_000;

const auditObject = object(
  {
    id: text,
    code: text,
    message: text,
    origin: text,
    author: text,
    organization: text,
    created_at: text,
    ip: text,
    data: anything,
    outcome: { enum: ['done', 'refused', 'failed', 'interrupted'] },
  },
  ['ip'],
);

const query = input({ page: number, page_size: number });
const answer = object({
  audit_logs: list(auditObject),
  pagination: object({ page: integer, page_size: integer, total_pages: integer, total_rows: integer }),
});

interface AuditRoute {
  Querystring: { page?: string; page_size?: string };
}

/** The audit log of an organization. */
export function registerAuditRoutes(app: FastifyInstance, context: ApiContext): void {
  defineRoute<AuditRoute>(app, {
    method: 'GET',
    url: '/audit-logs',
    operation: 'listAuditLogs',
    summary: 'What was changed, the last first.',
    access: mayDo('audit:read'),
    query,
    answer,
    handler: async (request) => auditPage(request.organization, request.query, context),
  });
}

/** The entries that are of no organization: users, limits, tokens of users, the first administrator. */
export function registerDeploymentAuditRoute(app: FastifyInstance, context: ApiContext): void {
  defineRoute<AuditRoute>(app, {
    method: 'GET',
    url: '/v1/deployment/audit-logs',
    operation: 'listDeploymentAuditLogs',
    summary: 'What was changed in no organization, the last first.',
    access: operatorToken,
    query,
    answer,
    handler: async (request) => auditPage('', request.query, context),
  });
}

async function auditPage(
  organization: string,
  { page: asked, page_size: askedSize }: AuditRoute['Querystring'],
  context: ApiContext,
) {
  const page = Number(asked ?? '') || 1;
  const size = Math.min(Number(askedSize ?? '') || 100, maxPageSize);
  const { entries, total } = await context.audit.page(organization, { offset: (page - 1) * size, limit: size });
  return {
    audit_logs: entries satisfies AuditEntry[],
    pagination: { page, page_size: size, total_pages: Math.ceil(total / size), total_rows: total },
  };
}
