import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { insertGroup, listGroups } from '../../catalog/groups.js';
import {
  insertOrganization,
  isSlugFree,
  organizationsNamed,
  removeOrganization,
  updateOrganization,
  type OrganizationRecord,
} from '../../catalog/organizations.js';
import { listReadyDatabases } from '../../catalog/databases.js';
import { catalogAddress } from '../../catalog/open-catalog.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { anyToken, defineRoute, mayDo, userToken } from '../define-route.js';
import { requireOrganization } from '../named-resources.js';
import { anything, empty, flag, input, list, object, organizationObject, orNull, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

const one = '/v1/organizations/:organization';
/** Part of every host name of the organization, beside the name of the database. */
const maxSlugLength = 32;

/** Organizations: list, create, get, change, delete. */
export function registerOrganizationRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  const listed = async (principal: {
    memberships: ReadonlyMap<string, unknown>;
    restriction?: { organization: string };
  }) => {
    const slugs = [...principal.memberships.keys()].filter(
      (slug) => principal.restriction === undefined || principal.restriction.organization === slug,
    );
    return organizationsNamed(catalog, slugs);
  };
  defineRoute(app, {
    method: 'GET',
    url: '/v1/organizations',
    operation: 'listOrganizations',
    summary: 'The organizations that the user is a member of.',
    access: anyToken,
    answer: object({ organizations: list(organizationObject) }),
    handler: async ({ principal }) => ({ organizations: (await listed(principal)).map(toOrganizationObject) }),
  });
  defineRoute(app, {
    method: 'GET',
    url: '/v2/organizations',
    operation: 'listOrganizationsForCli',
    summary: 'The same, in the shape that the CLI reads.',
    access: anyToken,
    answer: object({ organizations: list(object({ id: text, name: text, slug: text, type: text, overages: flag })) }),
    handler: async ({ principal }) => ({
      organizations: (await listed(principal)).map(({ uuid, name, slug, type }) => ({
        id: uuid,
        name,
        slug,
        type,
        overages: false,
      })),
    }),
  });

  defineRoute<{ Querystring: { dry_run?: string }; Body: { name: string } }>(app, {
    method: 'POST',
    url: '/v1/organizations',
    operation: 'createOrganization',
    summary: 'Creates an organization with a group "default"; the caller becomes its owner.',
    access: userToken,
    errors: ['INVALID_NAME', 'ORGANIZATION_EXISTS'],
    audit: 'org-create',
    query: input({ dry_run: { type: 'string', enum: ['', 'true', 'false'] } }),
    body: input({ name: text, stripe_id: orNull(text) }, ['name']),
    answer: object({ org: organizationObject }),
    handler: async ({ query, body: { name }, principal }) => {
      const slug = slugFor(name);
      const createdAtMs = context.clock.now();
      const organization: OrganizationRecord = {
        uuid: randomUUID(),
        slug,
        name: name.trim(),
        type: 'team',
        requireMfa: false,
        createdAtMs,
      };
      const taken = (): ControlPlaneError =>
        new ControlPlaneError('ORGANIZATION_EXISTS', `the organization name ${slug} is taken`);
      if (slug === catalogAddress.organization) throw taken();
      if (query.dry_run === 'true') {
        if (!(await isSlugFree(catalog, slug, principal.user.uuid))) throw taken();
        return { org: toOrganizationObject(organization) };
      }
      if (!(await insertOrganization(catalog, organization, principal.user.uuid))) throw taken();
      context.authenticator.forgetAll();
      const group = { uuid: randomUUID(), name: 'default', location: context.primaryRegion, deleteProtection: false };
      await insertGroup(catalog, { ...group, organization: slug, createdAtMs });
      noteInAudit({ organization: slug, uuid: organization.uuid });
      return { org: toOrganizationObject(organization) };
    },
  });

  defineRoute(app, {
    method: 'GET',
    url: one,
    operation: 'getOrganization',
    summary: 'One organization.',
    access: mayDo('organization:read'),
    errors: ['ORGANIZATION_NOT_FOUND'],
    answer: object({ organization: organizationObject }),
    handler: async (request) => ({ organization: toOrganizationObject(await requireOrganization(request, context)) }),
  });
  defineRoute<{ Body: { overages?: boolean | null; require_mfa?: boolean | null } }>(app, {
    method: 'PATCH',
    url: one,
    operation: 'updateOrganization',
    summary:
      'Changes an organization. There are no overages, and second factors are the identity provider’s to ask for.',
    access: mayDo('organization:configure'),
    errors: ['OPTION_NOT_OFFERED', 'ORGANIZATION_NOT_FOUND'],
    audit: 'org-update',
    body: input({ overages: orNull(flag), require_mfa: orNull(flag) }),
    answer: object({ organization: organizationObject }),
    handler: async (request) => {
      for (const option of ['overages', 'require_mfa'] as const) {
        if (isUnasked(request.body[option])) continue;
        throw new ControlPlaneError('OPTION_NOT_OFFERED', `"${option}" cannot be switched on in this deployment`);
      }
      const organization = await requireOrganization(request, context);
      if (request.body.require_mfa === false && organization.requireMfa) {
        await updateOrganization(catalog, organization.uuid, false);
      }
      return { organization: toOrganizationObject(await requireOrganization(request, context)) };
    },
  });
  defineRoute(app, {
    method: 'DELETE',
    url: one,
    operation: 'deleteOrganization',
    summary: 'Deletes an organization that has no databases any more, with its groups, members and tokens.',
    access: mayDo('organization:delete'),
    errors: [
      'DATABASE_HELD',
      'DATA_PLANE_REFUSED',
      'DELETE_PROTECTED',
      'OPTION_NOT_OFFERED',
      'ORGANIZATION_NOT_EMPTY',
      'ORGANIZATION_NOT_FOUND',
    ],
    audit: 'org-delete',
    body: anything,
    answer: empty,
    handler: async (request) => {
      const organization = await requireOrganization(request, context);
      const { slug } = organization;
      if (slug === context.organization) {
        throw new ControlPlaneError('OPTION_NOT_OFFERED', 'the first organization of a deployment cannot be deleted');
      }
      const notEmpty = (): ControlPlaneError =>
        new ControlPlaneError('ORGANIZATION_NOT_EMPTY', `organization ${slug} still has databases`);
      if ((await listReadyDatabases(catalog, { organization: slug, after: '', limit: 1 })).length > 0) throw notEmpty();
      for (const group of await listGroups(catalog, slug)) await context.lifecycle.deleteGroup(group);
      if (!(await removeOrganization(catalog, organization, context.clock.now()))) throw notEmpty();
      context.authenticator.forgetAll();
      return {};
    },
  });
}

/** What stands in host names for an organization of this name. Throws `INVALID_NAME`. */
function slugFor(name: string): string {
  const slug = name.toLowerCase().replace(/[\s_-]+/g, '');
  if (/^[a-z0-9]+$/.test(slug) && slug.length <= maxSlugLength) return slug;
  throw new ControlPlaneError(
    'INVALID_NAME',
    `an organization name consists of at most ${maxSlugLength} letters and digits; spaces and dashes do not count`,
  );
}

export function toOrganizationObject({ uuid, name, slug, type, requireMfa }: OrganizationRecord) {
  return {
    id: uuid,
    name,
    slug,
    type,
    overages: false,
    require_mfa: requireMfa,
    blocked_reads: false,
    blocked_writes: false,
    plan_id: 'byoc',
    plan_timeline: '',
    platform: 'byoc',
  };
}
