/** How a call that creates a database is carried out, by what the database is to begin as. */
import type { FastifyRequest } from 'fastify';
import type { DatabaseRecord } from '../catalog/databases.js';
import type { DatabaseRequest } from '../databases/database-lifecycle.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import type { ApiContext } from './api-context.js';
import { onlyGroup, requireDatabase } from './named-resources.js';
import { branchClientEncryption, type AskedEncryption } from './remote-encryption.js';
import type { BranchSeed } from './seed.js';

/** Creates a database in the group of this name or uuid, if the caller may use it. Throws `GROUP_UNKNOWN`, and as `create` does. */
export async function createInGroup(
  request: FastifyRequest,
  nameOrUuid: string,
  wanted: Omit<DatabaseRequest, 'group'>,
  context: ApiContext,
): Promise<DatabaseRecord> {
  const create = async (fresh: boolean): Promise<DatabaseRecord> => {
    const group = await context.groups.find(request.organization, nameOrUuid, { fresh });
    const only = onlyGroup(request);
    if (group === undefined || (only !== undefined && group.uuid !== only)) {
      throw new ControlPlaneError('GROUP_UNKNOWN', 'group not found');
    }
    await context.limiter.assertRate([{ scope: 'group', subject: group.uuid }]);
    return context.lifecycle.create({ ...wanted, group });
  };
  try {
    return await create(false);
  } catch (error) {
    // What was remembered of the group may be out of date; nothing was created then.
    if (!isControlPlaneError(error, 'GROUP_UNKNOWN')) throw error;
    return create(true);
  }
}

/**
 * A branch lives in its parent's group and engine; a request that asks for others is refused. The group `default` counts
 * as none: clients name it when their user named no group.
 */
export async function branchRequest(
  request: FastifyRequest,
  name: string,
  { parent: parentName, timeMs }: BranchSeed,
  asked: { group: string | undefined; useTursodb: boolean; encryption: AskedEncryption | undefined },
  context: ApiContext,
): Promise<DatabaseRequest> {
  const parentRecord = await requireDatabase(request, parentName, context);
  const { organization, group, engine, uuid, name: found } = parentRecord;
  if (asked.group !== undefined && ![group.name, group.uuid, 'default'].includes(asked.group)) {
    throw new ControlPlaneError('SEED_INVALID', `a branch of ${found} lives in its group, ${group.name}`);
  }
  if (asked.useTursodb && engine !== 'tursodb') {
    throw new ControlPlaneError('SEED_INVALID', `a branch of ${found} has its engine, ${engine}`);
  }
  const askedKey = asked.encryption && 'clientKey' in asked.encryption ? asked.encryption.clientKey : undefined;
  const clientEncryption = branchClientEncryption(askedKey, parentRecord);
  const parent = { uuid, name: found };
  return {
    organization,
    name,
    group,
    engine,
    branch: { parent, ...(timeMs !== undefined && { timeMs }) },
    ...(asked.encryption && 'keyId' in asked.encryption && asked.encryption),
    ...(clientEncryption && { clientEncryption }),
  };
}
