import type { FastifyInstance } from 'fastify';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { assertOrganization } from '../assert-organization.js';

/** Names of regions as people know them; a region that is not here is described by its code. */
const descriptions: Readonly<Record<string, string>> = {
  local: 'This machine',
  'aws-us-east-1': 'AWS US East (Virginia)',
  'aws-us-east-2': 'AWS US East (Ohio)',
  'aws-us-west-2': 'AWS US West (Oregon)',
  'aws-eu-west-1': 'AWS EU West (Ireland)',
  'aws-eu-central-1': 'AWS EU Central (Frankfurt)',
  'aws-ap-south-1': 'AWS AP South (Mumbai)',
  'aws-ap-northeast-1': 'AWS AP Northeast (Tokyo)',
};

/** The one location of this deployment, in the shapes that the SDK (v1) and the CLI (v2) read. */
export function registerLocationRoutes(app: FastifyInstance, context: ApiContext): void {
  const code = context.primaryRegion;
  const description = descriptions[code] ?? code;
  const platform = code.startsWith('aws-') ? 'aws' : code;

  app.get('/v1/locations', async () => ({ locations: { [code]: description } }));
  app.get<{ Params: { code: string } }>('/v1/locations/:code', async (request) => {
    assertLocation(request.params.code, context);
    return { location: { code, description, closest: [] } };
  });
  app.get('/v2/locations', async () => ({ locations: { [platform]: { [code]: description } } }));
  app.get('/v2/organizations/:organization/locations', async (request) => {
    assertOrganization(request.params, context.organization);
    return { locations: { [platform]: { [code]: description } } };
  });
}

/** Throws `INVALID_LOCATION` unless this is the location of the deployment. */
export function assertLocation(location: string, context: Pick<ApiContext, 'primaryRegion'>): void {
  if (location === context.primaryRegion) return;
  throw new ControlPlaneError('INVALID_LOCATION', `invalid location: ${location}`);
}
