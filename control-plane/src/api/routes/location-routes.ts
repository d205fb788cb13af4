import type { FastifyInstance } from 'fastify';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { anyToken, defineRoute, mayDo } from '../define-route.js';
import { anything, list, object, text } from '../schemas.js';

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

  const ofPlatform = { locations: { [platform]: { [code]: description } } };

  defineRoute(app, {
    method: 'GET',
    url: '/v1/locations',
    operation: 'listLocations',
    summary: 'The one location of this deployment.',
    access: anyToken,
    answer: object({ locations: { type: 'object' } }),
    handler: async () => ({ locations: { [code]: description } }),
  });
  defineRoute<{ Params: { code: string } }>(app, {
    method: 'GET',
    url: '/v1/locations/:code',
    operation: 'getLocation',
    summary: 'One location.',
    access: anyToken,
    errors: ['INVALID_LOCATION'],
    answer: object({ location: object({ code: text, description: text, closest: list(anything) }) }),
    handler: async (request) => {
      assertLocation(request.params.code, context);
      return { location: { code, description, closest: [] } };
    },
  });
  defineRoute(app, {
    method: 'GET',
    url: '/v2/locations',
    operation: 'listLocationsByPlatform',
    summary: 'The one location of this deployment, below its platform.',
    access: anyToken,
    answer: object({ locations: { type: 'object' } }),
    handler: async () => ofPlatform,
  });
  defineRoute(app, {
    method: 'GET',
    url: '/v2/organizations/:organization/locations',
    operation: 'listLocationsOfOrganization',
    summary: 'The same.',
    access: mayDo('read'),
    answer: object({ locations: { type: 'object' } }),
    handler: async () => ofPlatform,
  });
}

/** Throws `INVALID_LOCATION` unless this is the location of the deployment. */
export function assertLocation(location: string, context: Pick<ApiContext, 'primaryRegion'>): void {
  if (location === context.primaryRegion) return;
  throw new ControlPlaneError('INVALID_LOCATION', `invalid location: ${location}`);
}
