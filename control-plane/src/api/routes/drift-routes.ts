import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { findDrift } from '../../drift/catalog-drift.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, operatorToken } from '../define-route.js';
import { anything, integer, list, object, text } from '../schemas.js';

const report = object({
  manifests: integer,
  rows: integer,
  drift: list(object({ kind: text, database: text, name: text, detail: text })),
  rebuilt: integer,
});

/** How the catalog and the data plane differ, and what puts it right. Both read every manifest. */
export function registerDriftRoutes(app: FastifyInstance, context: ApiContext): void {
  defineRoute(app, {
    method: 'GET',
    url: '/v1/catalog/drift',
    operation: 'getDrift',
    summary: 'How the catalog differs from what the data plane stores.',
    access: operatorToken,
    errors: ['CONTROL_STORE_CORRUPT', 'DATA_PLANE_REFUSED'],
    answer: report,
    handler: async () => findDrift(context, { rebuild: false }),
  });
  defineRoute(app, {
    method: 'POST',
    url: '/v1/catalog/rebuild',
    operation: 'rebuildCatalog',
    summary: 'Puts databases and groups that the catalog has lost back into it, from the manifests.',
    access: operatorToken,
    errors: ['CONTROL_STORE_CORRUPT', 'DATA_PLANE_REFUSED'],
    audit: 'catalog-rebuild',
    body: anything,
    answer: report,
    handler: async () => {
      const found = await findDrift(context, { rebuild: true });
      noteInAudit({ rebuilt: found.rebuilt });
      context.authenticator.forgetAll();
      return found;
    },
  });
}
