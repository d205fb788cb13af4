import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseTablePermissions } from '@turso-byoc/data-plane/auth/table-permissions.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { listIssuers, putIssuer, removeIssuer, type NamedIssuer } from '../../catalog/issuers.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, ofPublishing } from '../define-route.js';
import { requireDatabase, requireGroup } from '../named-resources.js';
import { anything, empty, input, list, object, orNull, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

const base = '/v2/organizations/:organization';
/** Of one organization. */
const mostIssuers = 10;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const maxUrlLength = 2_048;
/** The body of a GET, which only this route has. */
const maxTemplateBytes = 64 * 1024;

interface IssuerRoute {
  Params: { name: string };
  Body: { jwks_url: string; issuer?: string | null; audience?: string | null };
}

/** Key sets outside the deployment: tokens that they sign open the databases that their claims name. */
export function registerJwksRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;
  defineRoute(app, {
    method: 'GET',
    url: `${base}/jwks`,
    operation: 'listJwks',
    summary: 'The key sets whose tokens open databases of the organization.',
    access: mayDo('organization:read'),
    answer: object({
      jwks: list(object({ jwks_name: text, jwks_url: text, issuer: text, audience: text }, ['issuer', 'audience'])),
    }),
    handler: async ({ organization }) => ({ jwks: (await listIssuers(catalog, organization)).map(toJwksObject) }),
  });
  defineRoute<IssuerRoute>(app, {
    method: 'PUT',
    url: `${base}/jwks/:name`,
    operation: 'putJwks',
    summary: 'Registers a key set; data nodes follow within ten seconds.',
    access: mayDo('organization:configure'),
    errors: ['JWKS_INVALID', ...ofPublishing],
    audit: 'jwks-put',
    body: input({ jwks_url: text, region: orNull(text), issuer: orNull(text), audience: orNull(text) }, ['jwks_url']),
    answer: object({ jwks_name: text, jwks_url: text, issuer: text, audience: text }, ['issuer', 'audience']),
    handler: async ({ organization, params: { name }, body }) => {
      const issuer = parseIssuer(name, body);
      const present = await listIssuers(catalog, organization);
      if (present.length >= mostIssuers && !present.some((each) => each.name === name)) {
        throw new ControlPlaneError('JWKS_INVALID', `an organization has at most ${mostIssuers} key sets`);
      }
      await putIssuer(catalog, organization, issuer);
      await context.accessRules.publish();
      noteInAudit(toJwksObject(issuer));
      return toJwksObject(issuer);
    },
  });
  defineRoute<{ Params: { name: string } }>(app, {
    method: 'DELETE',
    url: `${base}/jwks/:name`,
    operation: 'deleteJwks',
    summary: 'Forgets a key set; its tokens open nothing any more within ten seconds.',
    access: mayDo('organization:configure'),
    errors: ['JWKS_NOT_FOUND', ...ofPublishing],
    audit: 'jwks-delete',
    body: anything,
    answer: empty,
    handler: async ({ organization, params: { name } }) => {
      if (!(await removeIssuer(catalog, organization, name))) {
        throw new ControlPlaneError('JWKS_NOT_FOUND', `could not find the key set ${name}`);
      }
      await context.accessRules.publish();
      noteInAudit({ name });
      return {};
    },
  });
  defineRoute(app, {
    method: 'GET',
    url: `${base}/jwks-template`,
    operation: 'getJwksTemplate',
    summary: 'Claims for an issuer to put into its tokens; what they are for comes as a JSON body.',
    access: mayDo('organization:read'),
    errors: ['DATABASE_NOT_FOUND', 'GROUP_NOT_FOUND', 'MALFORMED_REQUEST', 'PERMISSIONS_INVALID'],
    answer: object({ template: { type: 'object', additionalProperties: true } }),
    handler: async (request) => ({ template: await templateFor(request, await bodyOfGet(request), context) }),
  });
}

/** What a token has to carry to open this. Throws `MALFORMED_REQUEST`, `PERMISSIONS_INVALID`, and what looking up does. */
async function templateFor(
  request: FastifyRequest,
  { database, group, scope, permissions }: Readonly<Record<string, unknown>>,
  context: ApiContext,
): Promise<object> {
  if (!isUnasked(scope) && scope !== 'full-access' && scope !== 'read-only') {
    throw new ControlPlaneError('MALFORMED_REQUEST', '"scope" is neither "full-access" nor "read-only"');
  }
  const p = isUnasked(permissions) ? undefined : parseTablePermissions(permissions);
  if (typeof p === 'string') throw new ControlPlaneError('PERMISSIONS_INVALID', `"permissions": ${p}`);
  const rights = { a: scope === 'read-only' ? 'ro' : 'rw', ...(p && { p }) };
  if (typeof database === 'string' && database !== '') {
    return { ...rights, id: (await requireDatabase(request, database, context)).uuid };
  }
  if (typeof group === 'string' && group !== '') {
    return { ...rights, gid: (await requireGroup(request, group, context)).uuid };
  }
  throw new ControlPlaneError(
    'MALFORMED_REQUEST',
    'name a "database" or a "group": a token that names neither opens nothing',
  );
}

/** Clients send a JSON body with this GET. */
async function bodyOfGet(request: FastifyRequest): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.raw) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxTemplateBytes) throw new ControlPlaneError('MALFORMED_REQUEST', 'the body is too long');
    chunks.push(chunk as Buffer);
  }
  try {
    const value: unknown = bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'the body is not JSON', { cause });
  }
  throw new ControlPlaneError('MALFORMED_REQUEST', 'the body is not an object');
}

/** Throws `JWKS_INVALID`. Whether data nodes may fetch from there is their operator's to say. */
function parseIssuer(name: string, body: IssuerRoute['Body']): NamedIssuer {
  if (!namePattern.test(name)) {
    throw new ControlPlaneError('JWKS_INVALID', 'names of key sets have 1 to 64 letters, digits, ".", "_" and "-"');
  }
  const { jwks_url: url, issuer, audience } = body;
  let parsed: URL | undefined;
  try {
    parsed = new URL(url);
  } catch {
    parsed = undefined;
  }
  const isWeb = parsed?.protocol === 'https:' || parsed?.protocol === 'http:';
  if (
    !parsed ||
    !isWeb ||
    parsed.username !== '' ||
    parsed.password !== '' ||
    parsed.hash !== '' ||
    url.length > maxUrlLength
  ) {
    throw new ControlPlaneError('JWKS_INVALID', '"jwks_url" is no https URL without credentials and fragment');
  }
  return {
    name,
    url: parsed.href,
    ...(!isUnasked(issuer) && { issuer: String(issuer) }),
    ...(!isUnasked(audience) && { audience: String(audience) }),
  };
}

function toJwksObject({ name, url, issuer, audience }: NamedIssuer) {
  return {
    jwks_name: name,
    jwks_url: url,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
}
