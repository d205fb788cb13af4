/**
 * The certificate of a crypto-shred: says that what wrapped the data keys of a deleted database was destroyed, in every
 * version that the store kept of it. The tombstone names the certificate by its digest, the certificate the manifest that
 * held the keys by its own. It is never deleted.
 */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import { StoredJson } from './stored-json.js';

/** A wrapped data key that was destroyed. */
export interface ShreddedKey {
  readonly number: number;
  /** The key of the key service that wrapped it; absent when a key that the client held did. */
  readonly keyId?: string;
  /** The ancestor whose objects it opened; absent when they were the database's own. */
  readonly opens?: DatabaseId;
}

/** A branch that holds data keys of the database, each wrapped for itself: what it shares with it can still be read. */
export interface Heir {
  readonly database: DatabaseId;
  readonly name: string;
}

/** What is decided when the wrapped keys leave the manifest, and stands in it until they are destroyed. */
export interface Shredding {
  /** Who asked; `undelete window` when its end did. */
  readonly requestedBy: string;
  readonly requestedAtMs: number;
  readonly recordedAtMs: number;
  readonly keys: readonly ShreddedKey[];
  /** The last manifest that held them: its version, and the SHA-256 of the stored object, hex. */
  readonly manifestVersion: number;
  readonly manifestDigest: string;
  /** Versions of the manifest that the store kept beside that one. */
  readonly olderVersions: number;
  readonly heirs: readonly Heir[];
  /** Backups that hold the wrapped keys too, as far as whoever asked has named them. */
  readonly copies: readonly string[];
}

export interface ShredCertificate extends Shredding {
  readonly deployment: string;
  readonly database: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: string;
  readonly createdAtMs: number;
  readonly deletedAtMs: number;
  /** The node that did it. */
  readonly epoch: NodeEpoch;
  /** When no version that held a wrapped key was left. */
  readonly destroyedAtMs: number;
}

const text = { type: 'string', maxLength: 512 } as const;
const count = { type: 'integer', minimum: 0 } as const;
const uuid = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' } as const;

function closed(required: Record<string, object>, optional: Record<string, object> = {}): object {
  const properties = { ...required, ...optional };
  return { type: 'object', properties, required: Object.keys(required), additionalProperties: false };
}

const shreddingFields = {
  requestedBy: text,
  requestedAtMs: count,
  recordedAtMs: count,
  keys: { type: 'array', items: closed({ number: count }, { keyId: text, opens: uuid }) },
  manifestVersion: count,
  manifestDigest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  olderVersions: count,
  heirs: { type: 'array', items: closed({ database: uuid, name: text }) },
  copies: { type: 'array', items: text },
} as const;

/** As it stands in a manifest. */
export const shreddingSchema = closed(shreddingFields);

export const storedCertificate = new StoredJson<ShredCertificate>('turso-byoc/shred-certificate/1', {
  ...closed({
    ...shreddingFields,
    deployment: text,
    database: uuid,
    name: text,
    organization: text,
    group: text,
    createdAtMs: count,
    deletedAtMs: count,
    epoch: text,
    destroyedAtMs: count,
  }),
});
