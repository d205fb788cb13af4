/** The groups and databases that paths name. What a token for another group must not see is not found. */
import type { FastifyRequest } from 'fastify';
import { findDatabase, type DatabaseRecord } from '../catalog/databases.js';
import { findGroup, type GroupRecord } from '../catalog/groups.js';
import { findOrganization, type OrganizationRecord } from '../catalog/organizations.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { ApiContext } from './api-context.js';

type Caller = Pick<FastifyRequest, 'principal' | 'organization'>;

/** The uuid of the one group that the caller's token is for; undefined when it is for all. */
export function onlyGroup({ principal }: Pick<FastifyRequest, 'principal'>): string | undefined {
  return principal.restriction?.group?.uuid;
}

/** The group of this name or uuid. Throws `GROUP_NOT_FOUND`, `RATE_LIMITED`. */
export async function requireGroup(
  caller: Caller,
  nameOrUuid: string,
  context: ApiContext,
  options: { readonly includeDeleting?: boolean } = {},
): Promise<GroupRecord> {
  const group = await findGroup(context.catalog, caller.organization, nameOrUuid, options);
  if (group === undefined || !isVisible(caller, group.uuid)) throw groupNotFound();
  await context.limiter.assertRate([{ scope: 'group', subject: group.uuid }]);
  return group;
}

/** The database of this name or uuid, when it is ready. Throws `DATABASE_NOT_FOUND`, `RATE_LIMITED`. */
export async function requireDatabase(
  caller: Caller,
  nameOrUuid: string,
  context: ApiContext,
): Promise<DatabaseRecord> {
  const record = await requireDatabaseInAnyState(caller, nameOrUuid, context);
  if (record.state !== 'ready') throw databaseNotFound(nameOrUuid);
  return record;
}

/** The same, also while it is being made or deleted. */
export async function requireDatabaseInAnyState(
  caller: Caller,
  nameOrUuid: string,
  context: ApiContext,
): Promise<DatabaseRecord> {
  const record = await findDatabase(context.catalog, caller.organization, nameOrUuid);
  if (record === undefined || !isVisible(caller, record.group.uuid)) throw databaseNotFound(nameOrUuid);
  await context.limiter.assertRate([{ scope: 'group', subject: record.group.uuid }]);
  return record;
}

/** The organization that the call is about. Throws `ORGANIZATION_NOT_FOUND`. */
export async function requireOrganization(caller: Caller, context: ApiContext): Promise<OrganizationRecord> {
  const organization = await findOrganization(context.catalog, caller.organization);
  if (organization !== undefined) return organization;
  throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
}

export function databaseNotFound(name: string): ControlPlaneError {
  return new ControlPlaneError('DATABASE_NOT_FOUND', `could not find database with name ${name}: record not found`);
}

export function groupNotFound(): ControlPlaneError {
  return new ControlPlaneError('GROUP_NOT_FOUND', 'group not found');
}

function isVisible(caller: Caller, groupUuid: string): boolean {
  const only = onlyGroup(caller);
  return only === undefined || only === groupUuid;
}
