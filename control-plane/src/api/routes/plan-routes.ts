import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../api-context.js';
import { anyToken, defineRoute, mayDo, userToken } from '../define-route.js';
import { anything, flag, list, object, text } from '../schemas.js';

/** More than any deployment has, and exact as a JSON number everywhere. */
const unlimited = 2 ** 53 - 1;

const plan = {
  name: 'byoc',
  price: '0',
  prices: [{ value: '0', timeline: 'monthly' }],
  quotas: {
    rowsRead: unlimited,
    rowsWritten: unlimited,
    databases: unlimited,
    locations: 1,
    storage: unlimited,
    groups: unlimited,
    bytesSynced: unlimited,
  },
};
const plans = object({ plans: list(object({ name: text, price: text, prices: list(anything), quotas: anything })) });
const subscription = object({ subscription: object({ name: text, plan: text, timeline: text, overages: flag }) });

/**
 * Billing is absent: one plan without limits, no invoices, nothing to pay. These are constants that keep the CLI working;
 * what the operator limits stands in the limits.
 */
export function registerPlanRootRoutes(app: FastifyInstance): void {
  defineRoute(app, {
    method: 'GET',
    url: '/v1/plans',
    operation: 'listPlans',
    summary: 'The one plan.',
    access: anyToken,
    answer: plans,
    handler: async () => ({ plans: [plan] }),
  });
  defineRoute(app, {
    method: 'POST',
    url: '/v1/organizations/stripe-customer',
    operation: 'createCustomer',
    summary: 'Nothing is billed; the CLI asks before it creates an organization.',
    access: userToken,
    body: anything,
    answer: object({ stripe_id: text }),
    handler: async () => ({ stripe_id: 'none' }),
  });
}

/** The same, of an organization. */
export function registerPlanRoutes(app: FastifyInstance, _context: ApiContext): void {
  // "/v1/plans" is there without an organization.
  if (app.prefix.includes('/organizations/')) {
    defineRoute(app, {
      method: 'GET',
      url: '/plans',
      operation: 'listPlansOfOrganization',
      summary: 'The one plan.',
      access: mayDo('organization:read'),
      answer: plans,
      handler: async () => ({ plans: [plan] }),
    });
  }
  for (const [method, operation, permission] of [
    ['GET', 'getSubscription', 'organization:read'],
    ['POST', 'updateSubscription', 'organization:configure'],
  ] as const) {
    defineRoute(app, {
      method,
      url: '/subscription',
      operation,
      summary: 'The one plan.',
      access: mayDo(permission),
      ...(method === 'POST' && { body: anything }),
      answer: subscription,
      handler: async () => ({ subscription: { name: 'byoc', plan: 'byoc', timeline: 'monthly', overages: false } }),
    });
  }
  defineRoute(app, {
    method: 'GET',
    url: '/invoices',
    operation: 'listInvoices',
    summary: 'None: nothing is billed.',
    access: mayDo('organization:read'),
    answer: object({ invoices: list(anything) }),
    handler: async () => ({ invoices: [] }),
  });
  defineRoute(app, {
    method: 'GET',
    url: '/billing/payment-methods',
    operation: 'getPaymentMethods',
    summary: 'Whether a payment method is there: yes, so that the CLI asks for none.',
    access: mayDo('organization:read'),
    answer: object({ exists: flag }),
    handler: async () => ({ exists: true }),
  });
}
