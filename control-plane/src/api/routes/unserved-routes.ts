import type { FastifyInstance } from 'fastify';
import { ControlPlaneError } from '../../errors/catalogue.js';
import { anyToken, defineRoute } from '../define-route.js';
import { anything } from '../schemas.js';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/**
 * Calls of the Platform API that this release does not offer, relative to an organization. They are answered by name,
 * so that nobody mistakes a missing feature for a wrong address, and never with made-up values.
 */
const unserved: readonly [Method, string][] = [
  ['POST', '/databases/:database/seed'],
  ['POST', '/billing/portal'],
  ['GET', '/billing/customer'],
  ['PUT', '/billing/customer'],
];

/** Answers each call that is relative to an organization with `NOT_OFFERED`. */
export function registerUnservedRoutes(app: FastifyInstance): void {
  for (const [method, url] of unserved) registerUnserved(app, method, url);
}

function registerUnserved(app: FastifyInstance, method: Method, url: string): void {
  const call = `${method} ${url.replace(/:(\w+)/g, '{$1}')}`;
  const words = url.split('/').map((word) => word.replace(/\W/g, ''));
  defineRoute(app, {
    method,
    url,
    operation: `${method.toLowerCase()}${words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')}`,
    summary: 'Not offered yet.',
    access: anyToken,
    errors: ['NOT_OFFERED'],
    ...(method !== 'GET' && { body: anything }),
    answer: anything,
    handler: async () => {
      throw new ControlPlaneError('NOT_OFFERED', `${call} is not offered yet`);
    },
  });
}
