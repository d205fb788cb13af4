import { ControlPlaneError } from '../errors/catalogue.js';

/** Throws `ORGANIZATION_NOT_FOUND` when the path's parameters name another organization than the one there is. */
export function assertOrganization(parameters: unknown, organization: string): void {
  const { organization: named } = parameters as { organization?: string };
  if (named !== undefined && named !== organization) {
    throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
  }
}
