/**
 * The OpenAPI document: it is the one that is committed, it says the truth, and every route that it names turns away who
 * and what it should.
 */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { catalogue, type ErrorCode } from '../src/errors/catalogue.js';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: { readonly name: string; readonly in: string; readonly schema: Record<string, any> }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: Record<string, any> } };
  };
  readonly responses: {
    readonly 200: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  } & Readonly<Record<string, object>>;
  readonly 'x-access': string;
  readonly 'x-audit'?: string;
  readonly 'x-error-codes': readonly ErrorCode[];
}
interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const committed = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly info: { version: string };
  readonly components: { readonly responses: Readonly<Record<string, { readonly description: string }>> };
};
const endpoints: Endpoint[] = Object.entries(committed.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const named = (endpoint: Endpoint): string => `${endpoint.method} ${endpoint.path}`;
/** Answers of sign-in are pages and redirections. */
const isSignIn = ({ path }: Endpoint): boolean => ['/', '/signup', '/sign-in/callback'].includes(path);
const kindOf = ({ operation }: Endpoint): string => operation['x-access'];
const isOfOrganization = (endpoint: Endpoint): boolean =>
  !['public', 'authenticated', 'user', 'operator'].includes(kindOf(endpoint));

let api: ApiForTests;
let viewer: string;
let stranger: string;
let ofGroup: string;
beforeAll(async () => {
  api = await startApiForTests();
  viewer = await api.addUser('viewer', 'viewer');
  stranger = await api.addUser('stranger');
  await api.call('POST', '/v1/organizations', { name: 'elsewhere' });
  await api.call('POST', '/v1/organizations/elsewhere/members', { username: 'stranger', role: 'admin' });
  for (const name of ['one', 'two']) await api.call('POST', '/v1/databases', { name });
  const scopes = ['read'];
  const minted = await api.call('POST', '/v1/auth/api-tokens/scoped', {
    organization: 'default',
    group: 'default',
    scopes,
  });
  ofGroup = minted.body.token as string;
});
afterAll(async () => api.close());

/** What is there, for the path parameters. */
const present: Readonly<Record<string, string>> = {
  organization: 'default',
  database: 'one',
  group: 'default',
  instance: 'aws-eu-west-1',
  location: 'aws-eu-west-1',
  code: 'aws-eu-west-1',
  username: 'viewer',
  scope: 'organization',
  subject: 'default',
};
const fill = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replace(/\{(\w+)\}/g, (_match, name: string) => encodeURIComponent(values[name] ?? present[name] ?? 'nothing'));
/** A body that the schema takes, with the required fields only. */
function leastBody(schema: Record<string, any> | undefined): unknown {
  if (schema === undefined) return undefined;
  if (schema['type'] === 'object' || schema['properties'] !== undefined) {
    const required = (schema['required'] ?? []) as string[];
    return Object.fromEntries(required.map((name) => [name, leastBody(schema['properties'][name])]));
  }
  if (schema['type'] === 'array') return [leastBody(schema['items'])];
  return schema['type'] === 'integer' ? 1 : 'nothing';
}
const bodySchema = ({ operation }: Endpoint) => operation.requestBody?.content['application/json'].schema;
const errorBody = {
  error: expect.any(String) as string,
  message: expect.any(String) as string,
  code: expect.any(String) as string,
  remedy: expect.any(String) as string,
};

describe('the document', () => {
  it('is current (else: npm run openapi)', () => {
    const served = JSON.parse(JSON.stringify(api.api.document())) as typeof committed;
    expect({ ...served, info: { ...served.info, version: committed.info.version } }).toEqual(committed);
  });

  it('is served to everybody', async () => {
    const { status, body } = await api.call('GET', '/openapi.json', undefined, null);
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
  });

  it('lists the codes of every operation, and has an answer for the status of each', () => {
    for (const endpoint of endpoints) {
      const { 'x-error-codes': codes, responses } = endpoint.operation;
      const statuses = [...new Set(codes.map((code) => String(catalogue[code].status)))];
      expect(Object.keys(responses).sort()).toEqual(['200', ...statuses].sort());
      for (const status of statuses) {
        expect(responses[status]).toEqual({ $ref: `#/components/responses/${status}` });
        expect(committed.components.responses[status]?.description).toContain(
          codes.find((code) => String(catalogue[code].status) === status),
        );
      }
    }
    const creation = endpoints.find(({ operation }) => operation.operationId === 'createDatabase');
    expect(creation?.operation['x-error-codes']).toEqual(
      expect.arrayContaining(['DATABASE_EXISTS', 'GROUP_UNKNOWN', 'QUOTA_EXCEEDED', 'SEED_INVALID', 'RATE_LIMITED']),
    );
  });

  it('names every operation once', () => {
    const ids = endpoints.map(({ operation }) => operation.operationId);
    expect(ids.length).toBeGreaterThan(100);
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([]);
  });

  it('has an audit code for every call that changes something', () => {
    const silent = endpoints.filter(
      ({ method, operation }) =>
        method !== 'GET' && operation['x-audit'] === undefined && operation.summary !== 'Not offered yet.',
    );
    const stubs =
      /^(?:wakeDatabase|updateDatabaseVersion|updateGroupVersion|unarchiveGroup|addLocation|removeLocation|(?:start|abort)AwsMigration|createCustomer|updateSubscription|createInstance|deleteInstance|transferDatabase)/;
    expect(silent.filter(({ operation }) => !stubs.test(operation.operationId)).map(named)).toEqual([]);
  });
});

const guarded = endpoints.filter((endpoint) => kindOf(endpoint) !== 'public');

describe('without a token', () => {
  it.each(guarded.map((endpoint) => [named(endpoint), endpoint] as const))(
    '%s answers 401',
    async (_name, endpoint) => {
      const path = fill(endpoint.path, {});
      for (const token of [null, 'x', `${api.token}x`]) {
        const answer = await api.call(endpoint.method, path, leastBody(bodySchema(endpoint)), token);
        expect(answer).toMatchObject({ status: 401, body: errorBody });
        expect(answer.headers['content-type']).toBe('application/json');
      }
    },
  );
});

describe('with the token of another organization', () => {
  const cases = endpoints.filter((endpoint) => isOfOrganization(endpoint) && endpoint.path.includes('{organization}'));
  it.each(cases.map((endpoint) => [named(endpoint), endpoint] as const))(
    '%s finds nothing',
    async (_name, endpoint) => {
      const answer = await api.call(
        endpoint.method,
        fill(endpoint.path, {}),
        leastBody(bodySchema(endpoint)),
        stranger,
      );
      expect(answer).toMatchObject({ status: 404, body: { code: 'ORGANIZATION_NOT_FOUND' } });
    },
  );
});

describe('with too small a role or scope', () => {
  const viewers = ['read', 'organization:read'];
  const cases = guarded.filter(
    (endpoint) => !viewers.includes(kindOf(endpoint)) && kindOf(endpoint) !== 'authenticated',
  );
  it.each(cases.map((endpoint) => [named(endpoint), endpoint] as const))('%s is refused', async (_name, endpoint) => {
    const body = leastBody(bodySchema(endpoint));
    if (kindOf(endpoint) !== 'user') {
      const answer = await api.call(endpoint.method, fill(endpoint.path, {}), body, viewer);
      expect(answer).toMatchObject({ status: 400, body: errorBody });
      expect(['PERMISSION_DENIED', 'OPERATOR_ONLY']).toContain(answer.body.code);
    }
    const scoped = await api.call(endpoint.method, fill(endpoint.path, {}), body, ofGroup);
    expect(['PERMISSION_DENIED', 'USER_TOKEN_NEEDED']).toContain(scoped.body.code);
    expect(scoped.status).toBe(400);
  });
});

describe('with a wrong type', () => {
  const cases = guarded.filter((endpoint) => bodySchema(endpoint) !== undefined);
  it.each(cases.map((endpoint) => [named(endpoint), endpoint] as const))('%s is refused', async (_name, endpoint) => {
    const path = fill(endpoint.path, {});
    const schema = bodySchema(endpoint)!;
    const wrong: unknown[] = [[1], 'text'];
    for (const [name, property] of Object.entries(schema['properties'] as Record<string, any>)) {
      if (property.type === undefined && property.enum === undefined) continue;
      wrong.push({ ...(leastBody(schema) as object), [name]: { wrong: { wrong: true } } });
    }
    wrong.push({ ...(leastBody(schema) as object), nobodyKnowsThisField: 1 });
    for (const body of wrong) {
      const answer = await api.call(endpoint.method, path, body);
      expect([JSON.stringify(body), answer.status, answer.body.code]).toEqual([
        JSON.stringify(body),
        400,
        'MALFORMED_REQUEST',
      ]);
    }
  });
});

describe('with an unknown name', () => {
  const cases = guarded.filter((endpoint) => /\{(?!organization\}|scope|subject|name\})/.test(endpoint.path));
  it.each(cases.map((endpoint) => [named(endpoint), endpoint] as const))(
    '%s finds nothing',
    async (_name, endpoint) => {
      const values = {
        database: 'unknown',
        group: 'unknown',
        instance: 'unknown',
        username: 'unknown',
        email: 'a@b.c',
      };
      const answer = await api.call(
        endpoint.method,
        fill(endpoint.path, { ...values, code: 'nowhere' }),
        leastBody(bodySchema(endpoint)),
      );
      if (answer.status === 501) {
        expect(endpoint.operation.summary).toBe('Not offered yet.');
        return;
      }
      expect([400, 404]).toContain(answer.status);
      expect(answer.body.code).toMatch(/_NOT_FOUND$|^INVALID_|^OPTION_NOT_OFFERED$|^ROLE_INVALID$/);
    },
  );
});

describe('answers', () => {
  const ajv = new Ajv({ strict: false, allowUnionTypes: true });
  const readable = endpoints.filter((endpoint) => endpoint.method === 'GET' && !isSignIn(endpoint));
  it.each(readable.map((endpoint) => [named(endpoint), endpoint] as const))(
    '%s answers in the shape of the document',
    async (_name, endpoint) => {
      const answer = await api.call('GET', fill(endpoint.path, { username: 'default' }));
      if (answer.status !== 200) {
        expect(answer.body).toMatchObject(errorBody);
        // A template is for something that its body names.
        const refusals = endpoint.path.endsWith('/jwks-template') ? [400] : [404, 501];
        expect(refusals).toContain(answer.status);
        return;
      }
      const { schema } = endpoint.operation.responses[200].content['application/json'];
      const validate = ajv.compile({ ...schema, components: committed.components });
      validate(answer.body);
      expect(validate.errors ?? []).toEqual([]);
    },
  );
});

describe('requests made from the document', () => {
  /** Values around a schema: some it takes, some it does not. */
  const around = (schema: Record<string, any> | undefined): fc.Arbitrary<unknown> => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('', 'one', 'default', '../..', "' OR 1=1 --", '\u0000', '__proto__', 'a'.repeat(300)),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
      fc.dictionary(fc.string({ maxLength: 8 }), fc.anything({ maxDepth: 1 }), { maxKeys: 3 }),
    );
    if (schema === undefined) return hostile;
    if (schema['properties'] !== undefined) {
      const fields = Object.entries(schema['properties'] as Record<string, any>);
      const record = fc.record(Object.fromEntries(fields.map(([name, field]) => [name, around(field)])), {
        requiredKeys: [],
      });
      return fc.oneof({ weight: 6, arbitrary: record }, { weight: 1, arbitrary: hostile });
    }
    if (Array.isArray(schema['enum'])) return fc.oneof(fc.constantFrom(...(schema['enum'] as unknown[])), hostile);
    const types = [schema['type']].flat() as (string | undefined)[];
    if (types.includes('array')) return fc.oneof(fc.array(around(schema['items']), { maxLength: 3 }), hostile);
    if (types.includes('boolean')) return fc.oneof(fc.boolean(), hostile);
    return hostile;
  };
  const segment = fc.oneof(
    fc.constantFrom(
      'one',
      'two',
      'default',
      'unknown',
      'viewer',
      'organization',
      'token',
      '11111111-1111-4111-8111-111111111111',
    ),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  );
  // What ends the test's own organization, people or tokens is left to the tests above.
  const destructive = /^(?:revoke|deleteOrganization|removeMember|updateMember|revokeAll)/;
  const targets = endpoints.filter(
    (endpoint) => !isSignIn(endpoint) && !destructive.test(endpoint.operation.operationId),
  );

  it('never fail for a reason of the server’s own', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...targets).chain((endpoint) =>
          fc.record({
            endpoint: fc.constant(endpoint),
            path: fc.array(segment, { minLength: 4, maxLength: 4 }),
            query: fc.dictionary(
              fc.constantFrom(...(endpoint.operation.parameters ?? []).map(({ name }) => name), 'unknown'),
              fc.string({ maxLength: 12 }),
              { maxKeys: 2 },
            ),
            body: around(bodySchema(endpoint)),
          }),
        ),
        async ({ endpoint, path, query, body }) => {
          const values = [...path];
          const filled = endpoint.path.replace(/\{(\w+)\}/g, (_match, name: string) =>
            name === 'organization' ? 'default' : encodeURIComponent(values.shift() ?? 'one'),
          );
          const search = new URLSearchParams(query).toString();
          const answer = await api.call(
            endpoint.method,
            search === '' ? filled : `${filled}?${search}`,
            endpoint.method === 'GET' ? undefined : body,
          );
          if (answer.status >= 500) expect([answer.status, answer.body.code]).toEqual([501, 'NOT_OFFERED']);
        },
      ),
      { numRuns: 400 },
    );
  });
});
