import { dumpIdPattern, maxDumpChunks } from '../storage/staged-dump.js';
import { cipherNames } from '../keys/ciphers.js';
import { holdActorSchema, holdReasonSchema, holdReferenceSchema } from '../storage/legal-hold.js';
import { maxPageBatches } from '../metering/stored-usage.js';

/** JSON Schemas of the admin interface's requests. Names are checked by `assertDatabaseAddress`, which says more. */
const id = { type: 'string', pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' } as const;
const keyId = { type: 'string', minLength: 1, maxLength: 512 } as const;
const name = { type: 'string', minLength: 1, maxLength: 63 } as const;

const presentedKey = {
  type: 'object',
  required: ['key'],
  additionalProperties: false,
  properties: { key: { type: 'string', minLength: 1, maxLength: 512 }, cipher: { enum: cipherNames } },
} as const;

export const newDatabaseSchema = {
  type: 'object',
  required: ['id', 'name', 'organization', 'group', 'engine'],
  additionalProperties: false,
  properties: {
    id,
    name,
    organization: name,
    group: {
      type: 'object',
      required: ['id', 'name'],
      additionalProperties: false,
      properties: {
        id: { type: 'string', minLength: 1, maxLength: 128 },
        name: { type: 'string', minLength: 1, maxLength: 128 },
      },
    },
    engine: { enum: ['libsql', 'tursodb'] },
    keyId,
    encryption: presentedKey,
    awaitsFile: { type: 'boolean' },
    branch: {
      type: 'object',
      required: ['parent'],
      additionalProperties: false,
      properties: { parent: id, timeMs: { type: 'integer', minimum: 0 } },
    },
  },
} as const;

/** Databases in one call of `creations`. */
export const maxCreations = 64;

export const creationsSchema = {
  type: 'object',
  required: ['databases'],
  additionalProperties: false,
  properties: { databases: { type: 'array', minItems: 1, maxItems: maxCreations, items: newDatabaseSchema } },
} as const;

export const databaseIdSchema = { type: 'object', required: ['id'], properties: { id } } as const;

const dump = { type: 'string', pattern: dumpIdPattern } as const;

export const dumpSchema = { type: 'object', properties: { dump } } as const;

export const dumpChunkSchema = {
  type: 'object',
  properties: { dump, chunk: { type: 'string', pattern: '^(?:0|[1-9][0-9]{0,2})$' } },
} as const;

export const dumpSeedSchema = {
  type: 'object',
  required: ['dump', 'chunks', 'key'],
  additionalProperties: false,
  properties: {
    dump,
    chunks: { type: 'integer', minimum: 1, maximum: maxDumpChunks },
    key: { type: 'string', pattern: '^[A-Za-z0-9+/]{43}=$' },
    clientKey: { type: 'string', maxLength: 128 },
    maxBytes: { type: 'integer', minimum: 0 },
  },
} as const;

export const sinceSchema = {
  type: 'object',
  required: ['since'],
  additionalProperties: false,
  properties: { since: { type: 'string', pattern: '^[0-9]{1,15}$' } },
} as const;

export const inventorySchema = {
  type: 'object',
  additionalProperties: false,
  properties: { after: id, limit: { type: 'string', pattern: '^[1-9][0-9]{0,3}$' } },
} as const;

export const undeleteSchema = { type: 'object', additionalProperties: false, properties: { name } } as const;

export const rekeySchema = {
  type: 'object',
  required: ['replaces'],
  additionalProperties: false,
  properties: { replaces: { type: 'integer', minimum: 1 }, dropHistory: { type: 'boolean' }, encryption: presentedKey },
} as const;

export const wrappingSchema = {
  type: 'object',
  required: ['to'],
  additionalProperties: false,
  properties: {
    encryption: presentedKey,
    to: {
      type: 'object',
      required: ['mode'],
      oneOf: [
        { additionalProperties: false, properties: { mode: { const: 'kms' }, keyId } },
        {
          additionalProperties: false,
          required: ['key', 'cipher'],
          properties: { ...presentedKey.properties, mode: { const: 'client' } },
        },
      ],
    },
  },
} as const;

export const shredSchema = {
  type: 'object',
  required: ['requestedBy'],
  additionalProperties: false,
  properties: {
    requestedBy: { type: 'string', minLength: 1, maxLength: 512 },
    copies: { type: 'array', maxItems: 1_000, items: { type: 'string', minLength: 1, maxLength: 512 } },
  },
} as const;

export const holdSchema = {
  type: 'object',
  required: ['reference', 'reason', 'requestedBy'],
  additionalProperties: false,
  properties: {
    reference: holdReferenceSchema,
    reason: holdReasonSchema,
    requestedBy: holdActorSchema,
    sinceMs: { type: 'integer', minimum: 0 },
  },
} as const;

export const holdReleaseSchema = {
  type: 'object',
  required: ['reference', 'requestedBy'],
  additionalProperties: false,
  properties: { reference: holdReferenceSchema, requestedBy: holdActorSchema },
} as const;

export const rewrapSchema = {
  type: 'object',
  required: ['keyId'],
  additionalProperties: false,
  properties: { keyId },
} as const;

export const collectedUsageSchema = {
  type: 'object',
  required: ['batches'],
  additionalProperties: false,
  properties: {
    batches: {
      type: 'array',
      minItems: 1,
      maxItems: maxPageBatches,
      items: {
        type: 'object',
        required: ['epoch', 'sequence'],
        additionalProperties: false,
        properties: {
          epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
          sequence: { type: 'integer', minimum: 1, maximum: 999_999_999_999 },
        },
      },
    },
  },
} as const;
