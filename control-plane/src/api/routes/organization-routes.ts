import type { FastifyInstance } from 'fastify';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { assertOrganization } from '../assert-organization.js';
import { isUnasked } from '../unasked.js';

const updateBody = {
  type: 'object',
  additionalProperties: false,
  properties: { overages: { type: ['boolean', 'null'] }, require_mfa: { type: ['boolean', 'null'] } },
} as const;

/** The one organization, and its one member. */
export function registerOrganizationRoutes(app: FastifyInstance, context: ApiContext): void {
  const slug = context.organization;
  const organization = {
    name: slug,
    slug,
    type: 'personal',
    overages: false,
    require_mfa: false,
    blocked_reads: false,
    blocked_writes: false,
    plan_id: 'byoc',
    plan_timeline: '',
    platform: 'byoc',
  };
  const member = { username: slug, role: 'owner', email: '' };
  const one = '/v1/organizations/:organization';

  app.get('/v1/organizations', async () => ({ organizations: [organization] }));
  app.get('/v2/organizations', async () => ({
    organizations: [{ id: slug, name: slug, slug, type: 'personal', overages: false }],
  }));
  app.get(one, async (request) => {
    assertOrganization(request.params, slug);
    return { organization };
  });
  app.patch<{ Body: { overages?: boolean | null; require_mfa?: boolean | null } }>(
    one,
    { schema: { body: updateBody } },
    async (request) => {
      assertOrganization(request.params, slug);
      for (const option of ['overages', 'require_mfa'] as const) {
        if (isUnasked(request.body[option])) continue;
        throw new ControlPlaneError('OPTION_NOT_OFFERED', `"${option}" cannot be switched on in this deployment`);
      }
      return { organization };
    },
  );
  app.delete(one, async (request) => {
    assertOrganization(request.params, slug);
    throw new ControlPlaneError('OPTION_NOT_OFFERED', 'the organization of this deployment cannot be deleted');
  });

  app.get(`${one}/members`, async (request) => {
    assertOrganization(request.params, slug);
    return { members: [member] };
  });
  app.get<{ Params: { username: string } }>(`${one}/members/:username`, async (request) => {
    assertOrganization(request.params, slug);
    if (request.params.username === member.username) return { member };
    throw new ControlPlaneError('MEMBER_NOT_FOUND', 'could not find member');
  });
  // Nobody can be invited and nothing is billed, so these lists are empty as a matter of fact.
  app.get('/v2/organizations/:organization/invites', async (request) => {
    assertOrganization(request.params, slug);
    return { invites: [] };
  });
  app.get(`${one}/invoices`, async (request) => {
    assertOrganization(request.params, slug);
    return { invoices: [] };
  });
}
