import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import {
  allLimits,
  limitNames,
  limitNamesOf,
  limitScopes,
  setLimits,
  type LimitName,
  type LimitScope,
} from '../../catalog/limits.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, operatorToken } from '../define-route.js';
import { input, list, object, text } from '../schemas.js';

const value = { type: ['integer', 'null'], minimum: 0, maximum: 1_000_000_000 } as const;
const limitsObject = object({ scope: text, subject: text, limits: { type: 'object' } });

/** Quotas and request rates, set by operators. */
export function registerLimitRoutes(app: FastifyInstance, context: ApiContext): void {
  defineRoute(app, {
    method: 'GET',
    url: '/v1/limits',
    operation: 'listLimits',
    summary: 'Every limit that is set.',
    access: operatorToken,
    answer: object({ limits: list(limitsObject) }),
    handler: async () => ({ limits: await allLimits(context.catalog) }),
  });
  defineRoute<{
    Params: { scope: string; subject: string };
    Body: Partial<Record<LimitName, number | null>>;
  }>(app, {
    method: 'PUT',
    url: '/v1/limits/:scope/:subject',
    operation: 'setLimits',
    summary: 'Sets limits of an organization (slug), a group (uuid) or a token (id); null lifts one.',
    access: operatorToken,
    errors: ['LIMIT_INVALID'],
    audit: 'limits-set',
    body: input(Object.fromEntries(limitNames.map((name) => [name, value]))),
    answer: limitsObject,
    handler: async ({ params, body }) => {
      const scope = limitScopes.find((each): each is LimitScope => each === params.scope);
      if (scope === undefined) throw invalid(`"${params.scope}" is none of ${limitScopes.join(', ')}`);
      for (const name of Object.keys(body)) {
        if (!limitNamesOf[scope].some((each) => each === name)) throw invalid(`"${name}" is no limit of a ${scope}`);
      }
      await setLimits(context.catalog, scope, params.subject, body);
      context.limiter.forget();
      noteInAudit(body);
      const all = await allLimits(context.catalog);
      const set = all.find((each) => each.scope === scope && each.subject === params.subject);
      return set ?? { scope, subject: params.subject, limits: {} };
    },
  });
}

function invalid(message: string): ControlPlaneError {
  return new ControlPlaneError('LIMIT_INVALID', message);
}
