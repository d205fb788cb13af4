/**
 * Every route of the Platform API is declared with what it takes, what it answers and who may call it. Validation, access
 * checks, the audit log and the OpenAPI document are all made from these declarations.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteGenericInterface } from 'fastify';
import type { Permission } from '../auth/permissions.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { errorsOfForm } from './errors-of-form.js';

/** Who may call a route. */
export type Access =
  | { readonly kind: 'public' }
  /** Whoever has a platform token. */
  | { readonly kind: 'authenticated' }
  /** Whoever has a platform token that is not restricted. */
  | { readonly kind: 'user' }
  /** Operators of the deployment. */
  | { readonly kind: 'operator' }
  /** Members of the organization that have the permission. */
  | { readonly kind: 'organization'; readonly permission: Permission };

export const isPublic: Access = { kind: 'public' };
export const anyToken: Access = { kind: 'authenticated' };
export const userToken: Access = { kind: 'user' };
export const operatorToken: Access = { kind: 'operator' };
export const mayDo = (permission: Permission): Access => ({ kind: 'organization', permission });

/** What a change of the access rules that data nodes read may be refused with. */
export const ofPublishing = ['REVOCATIONS_FULL', 'CONTROL_STORE_CONTENDED', 'CONTROL_STORE_CORRUPT'] as const;

/** What a new database may be refused with. */
export const ofCreation = [
  'DATABASE_EXISTS',
  'DATABASE_NOT_FOUND',
  'DATABASE_REFUSED',
  'DATA_PLANE_REFUSED',
  'GROUP_UNKNOWN',
  'INVALID_NAME',
  'QUOTA_EXCEEDED',
] as const;

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface RouteDefinition<Route extends RouteGenericInterface> {
  readonly method: Extract<HTTPMethods, 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'>;
  readonly url: string;
  /** Name of the operation in the OpenAPI document. */
  readonly operation: string;
  /** One sentence. */
  readonly summary: string;
  readonly access: Access;
  /** Codes that its handler may refuse a call with, beside those that follow from its form. */
  readonly errors?: readonly ErrorCode[];
  /** Code in the audit log; every route that changes something has one. */
  readonly audit?: string;
  /** Schemas of path parameters that are not just text. */
  readonly params?: Readonly<Record<string, JsonSchema>>;
  readonly query?: JsonSchema;
  readonly body?: JsonSchema;
  /** Schema of the answer under status 200. */
  readonly answer: JsonSchema;
  readonly handler: (request: FastifyRequest<Route>, reply: FastifyReply) => Promise<unknown>;
}

/** What hooks and the OpenAPI document know of a route. */
export interface RouteConfig {
  readonly operation: string;
  readonly access: Access;
  readonly audit?: string;
  /** Every code that a call of it may be refused with, each once. */
  readonly errors: readonly ErrorCode[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    route?: RouteConfig;
  }
}

/** Adds a route to a server. */
export function defineRoute<Route extends RouteGenericInterface = RouteGenericInterface>(
  app: FastifyInstance,
  definition: RouteDefinition<Route>,
): void {
  const { method, url, operation, summary, access, audit, params, query, body, answer, handler } = definition;
  const ofForm = errorsOfForm({ access, takesParameters: query !== undefined || params !== undefined, method });
  const errors = [...new Set([...ofForm, ...(definition.errors ?? [])])].sort();
  app.route({
    method,
    url,
    schema: {
      summary,
      // Parameters of the prefix are text.
      ...(params && { params: { type: 'object', properties: params } }),
      ...(query && { querystring: query }),
      ...(body && { body }),
      response: { 200: answer },
    },
    config: { route: { operation, access, errors, ...(audit !== undefined && { audit }) } },
    handler: async (request, reply) => handler(request as unknown as FastifyRequest<Route>, reply),
  });
}

declare module 'fastify' {
  interface FastifySchema {
    summary?: string;
  }
}
