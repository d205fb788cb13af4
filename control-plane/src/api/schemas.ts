/** JSON Schemas that several routes share, and short ways to write schemas. */
import type { JsonSchema } from './define-route.js';

export const text: JsonSchema = { type: 'string' };
export const flag: JsonSchema = { type: 'boolean' };
export const integer: JsonSchema = { type: 'integer' };

/** An object with these fields, all of which are there unless `optional` names them; it may have others. */
export function object(properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema {
  return {
    type: 'object',
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    properties,
  };
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/** A request's body or query: fields that may be left out unless `required` names them, and no others. */
export function input(properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', ...(required.length > 0 && { required }), additionalProperties: false, properties };
}

/** The same type, or null, which clients send for what their user did not choose. */
export function orNull(schema: JsonSchema): JsonSchema {
  return { ...schema, type: [schema['type'], 'null'] };
}

export const empty: JsonSchema = { type: 'object', maxProperties: 0 };
/** No body is read, so any is taken: clients send `{}`, nothing, or null. */
export const anything: JsonSchema = {};

export const databaseObject = object(
  {
    Name: text,
    DbId: text,
    Hostname: text,
    block_reads: flag,
    block_writes: flag,
    regions: list(text),
    primaryRegion: text,
    group: text,
    delete_protection: flag,
    type: text,
    database_type: { enum: ['libsql', 'tursodb'] },
    version: text,
    sleeping: flag,
    archived: flag,
    allow_attach: flag,
    schema: text,
    is_schema: flag,
    encryption_cipher: text,
    parent: object({ id: text, name: text, branched_at: text }),
  },
  ['encryption_cipher', 'parent'],
);

export const createdDatabase = object({ DbId: text, Hostname: text, Name: text });

export const groupObject = object(
  {
    uuid: text,
    name: text,
    version: text,
    locations: list(text),
    primary: text,
    archived: flag,
    delete_protection: flag,
    remote_encryption: { type: 'object' },
    status: object({ locations: list(object({ name: text, status: text })) }),
  },
  ['remote_encryption'],
);

export const organizationObject = object({
  id: text,
  name: text,
  slug: text,
  type: { enum: ['personal', 'team'] },
  overages: flag,
  require_mfa: flag,
  blocked_reads: flag,
  blocked_writes: flag,
  plan_id: text,
  plan_timeline: text,
  platform: text,
});

export const databaseConfiguration = object({
  size_limit: text,
  allow_attach: flag,
  block_reads: flag,
  block_writes: flag,
  delete_protection: flag,
  allowed_ips: list(text),
  allowed_aws_vpc_ids: list(text),
});

/** What the OpenAPI document gives a name. */
export const namedSchemas = (): Readonly<Record<string, JsonSchema>> => ({
  Database: databaseObject,
  CreatedDatabase: createdDatabase,
  DatabaseConfiguration: databaseConfiguration,
  Group: groupObject,
  Organization: organizationObject,
  Member: memberObject,
});

export const memberObject = object({ username: text, role: text, email: text });
