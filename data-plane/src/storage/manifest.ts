/**
 * The manifest: the one mutable object of a database. It changes only by If-Match, every change raises `version`, and it
 * is never deleted: a deleted database keeps it as a tombstone.
 */
import type { DatabaseId, EngineName, NodeEpoch } from '../identity.js';
import type { EncryptionContext } from '../keys/key-service.js';
import { fragmentLocationSchema, type LogRange } from './log-location.js';
import { StoredJson } from './stored-json.js';

export interface WrappedDataKey {
  /** Number of this data key in the ring; sealed bytes name it. */
  readonly number: number;
  /** The key-service key that wraps it. */
  readonly keyId: string;
  /** Base64. */
  readonly wrapped: string;
  readonly context: EncryptionContext;
}

/** Names a generation object and proves it: its digest is checked before anything in it is believed. */
export interface GenerationReference {
  readonly term: number;
  readonly number: number;
  /** SHA-256 of the generation object, hex. */
  readonly digest: string;
  /** Last commit that is folded in. */
  readonly commit: number;
}

export interface Manifest {
  /** Raised by every change. */
  readonly version: number;
  readonly deployment: string;
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  readonly createdAtMs: number;
  /** Present on a tombstone. */
  readonly deletedAtMs?: number;
  /** Bytes kept free at the end of every page. */
  readonly reservedBytes: number;
  /** Raised by every claim. */
  readonly term: number;
  /** The epoch that may write under `term`; absent when nobody does. */
  readonly owner?: NodeEpoch;
  readonly currentKey: number;
  readonly keys: readonly WrappedDataKey[];
  /** Absent while the database is as it was created: empty. */
  readonly generation?: GenerationReference;
  /** Log ranges of former owners, oldest first, that no generation has folded in. */
  readonly tail: readonly LogRange[];
}

const text = { type: 'string', minLength: 1, maxLength: 512 } as const;
const count = { type: 'integer', minimum: 0 } as const;
const epoch = { type: 'string', pattern: '^[0-9a-f]{32}$' } as const;
const uuid = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' } as const;

function object(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  };
}

export const logRangeSchema = object({
  epoch,
  term: count,
  fragments: { type: 'array', items: fragmentLocationSchema },
});

const manifestSchema = object(
  {
    version: count,
    deployment: text,
    id: uuid,
    name: text,
    organization: text,
    group: object({ id: text, name: text }),
    engine: { enum: ['libsql', 'tursodb'] },
    createdAtMs: count,
    reservedBytes: { type: 'integer', minimum: 0, maximum: 255 },
    term: count,
    currentKey: count,
    keys: {
      type: 'array',
      minItems: 1,
      items: object({
        number: count,
        keyId: text,
        wrapped: { type: 'string', maxLength: 16_384 },
        context: object({ deployment: text, organization: text, group: text, database: uuid }),
      }),
    },
    tail: { type: 'array', items: logRangeSchema },
  },
  {
    deletedAtMs: count,
    owner: epoch,
    generation: object({
      term: count,
      number: count,
      digest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      commit: count,
    }),
  },
);

export const storedManifest = new StoredJson<Manifest>('turso-byoc/manifest/1', manifestSchema);
