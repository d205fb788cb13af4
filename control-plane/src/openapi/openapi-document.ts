/** The OpenAPI 3.1 document, made from the routes as they are declared: JSON Schemas go into it as they are. */
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Access, JsonSchema, RouteConfig } from '../api/define-route.js';
import { namedSchemas } from '../api/schemas.js';
import { catalogue, type ErrorCode } from '../errors/catalogue.js';
import { tagOf, tags } from './tags.js';

/** What the document says of one route. */
export interface DocumentedRoute {
  readonly method: string;
  readonly url: string;
  readonly route: RouteConfig;
  readonly schema: {
    readonly summary?: string;
    readonly params?: JsonSchema;
    readonly querystring?: JsonSchema;
    readonly body?: JsonSchema;
    readonly response?: Readonly<Record<number, JsonSchema>>;
  };
}

/** Collects the routes that are registered from now on. */
export function collectRoutes(app: FastifyInstance): DocumentedRoute[] {
  const routes: DocumentedRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema, config }: RouteOptions) => {
    const route = config?.route;
    if (route === undefined || typeof method !== 'string' || method === 'HEAD') return;
    routes.push({ method, url, route, schema: (schema ?? {}) as DocumentedRoute['schema'] });
  });
  return routes;
}

const securedBy: Readonly<Record<Access['kind'], object[]>> = {
  public: [],
  authenticated: [{ platformToken: [] }],
  user: [{ platformToken: [] }],
  operator: [{ platformToken: [] }],
  organization: [{ platformToken: [] }],
};

/** The document for these routes; the same routes give the same text. */
export function openApiDocument(routes: readonly DocumentedRoute[], release: string): JsonSchema {
  const sorted = [...routes].sort((one, other) => compare(one.url, other.url) || compare(one.method, other.method));
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of sorted) {
    const path = each.url.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][each.method.toLowerCase()] = operationOf(each);
  }
  const named = namedSchemas();
  return {
    openapi: '3.1.0',
    info: {
      title: 'Platform API of Turso BYOC',
      version: release,
      description:
        'Paths with an organization take its slug or id, those without one are about the home organization of the token. ' +
        'Databases and groups are named by name or id. Every success has status 200; every error has the body `Error`, and `x-error-codes` lists the codes of each operation.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: tags.map((name) => ({ name })),
    paths: withReferences(paths, new Map(Object.entries(named).map(([name, schema]) => [schema, name]))),
    components: {
      responses: errorResponses(sorted),
      securitySchemes: { platformToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: {
        ...named,
        Error: {
          type: 'object',
          required: ['error', 'message', 'code', 'remedy'],
          properties: {
            error: { type: 'string' },
            message: { type: 'string' },
            code: { type: 'string' },
            remedy: { type: 'string' },
          },
        },
      },
    },
  };
}

/** The same value, with references where it holds a schema that has a name. */
function withReferences(value: unknown, names: ReadonlyMap<unknown, string>): unknown {
  const name = names.get(value);
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(value)) return value.map((each) => withReferences(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withReferences(each, names)]));
}

function operationOf({ method, url, route, schema }: DocumentedRoute): JsonSchema {
  const { access, audit, operation, errors } = route;
  const parameters = [
    ...[...url.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
      name,
      in: 'path',
      required: true,
      schema: propertiesOf(schema.params)[name] ?? { type: 'string' },
    })),
    ...Object.entries(propertiesOf(schema.querystring)).map(([name, property]) => ({
      name,
      in: 'query',
      required: false,
      schema: property,
    })),
  ];
  // An empty schema takes whatever is sent, and reads nothing of it.
  const takesBody = method !== 'GET' && schema.body !== undefined && Object.keys(schema.body).length > 0;
  return {
    operationId: `${operation}${formOf(url)}`,
    summary: schema.summary ?? operation,
    tags: [tagOf(url)],
    ...(parameters.length > 0 && { parameters }),
    ...(takesBody && { requestBody: { required: true, content: { 'application/json': { schema: schema.body } } } }),
    responses: {
      200: { description: 'Done.', content: { 'application/json': { schema: schema.response?.[200] ?? {} } } },
      ...Object.fromEntries(statusesOf(errors).map((status) => [status, { $ref: `#/components/responses/${status}` }])),
    },
    security: securedBy[access.kind],
    'x-access': access.kind === 'organization' ? access.permission : access.kind,
    ...(audit !== undefined && { 'x-audit': audit }),
    'x-error-codes': errors,
  };
}

/** Each once, in order. */
function statusesOf(codes: readonly ErrorCode[]): number[] {
  return [...new Set(codes.map((code) => catalogue[code].status))].sort((one, other) => one - other);
}

/** The answer to a refused call under each status that there is, with the codes that it may have. */
function errorResponses(routes: readonly DocumentedRoute[]): JsonSchema {
  const codes = [...new Set(routes.flatMap(({ route }) => route.errors))].sort();
  return Object.fromEntries(
    statusesOf(codes).map((status) => [
      status,
      {
        description: codes.filter((code) => catalogue[code].status === status).join(', '),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    ]),
  );
}

/** Tells the address forms of one operation apart. */
function formOf(url: string): string {
  const [, version = '', organizations] = url.split('/');
  const isRelative = organizations !== 'organizations';
  if (version === 'v3') return 'V3';
  if (version === 'v2') return isRelative ? 'V2' : 'OfOrganizationV2';
  return isRelative ? '' : 'OfOrganization';
}

function propertiesOf(schema: JsonSchema | undefined): Readonly<Record<string, JsonSchema>> {
  return (schema?.['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
