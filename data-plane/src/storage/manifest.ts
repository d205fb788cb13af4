/**
 * The manifest: the one mutable object of a database. It changes only by If-Match, every change raises `version`, and it
 * is never deleted: a deleted database keeps it as a tombstone.
 */
import type { DatabaseId, EngineName, NodeEpoch } from '../identity.js';
import { cipherNames, type CipherName } from '../keys/ciphers.js';
import type { EncryptionContext } from '../keys/key-service.js';
import { holdsSchema, releasedHoldsSchema, type Holds } from './legal-hold.js';
import { fragmentLocationSchema, type LogRange } from './log-location.js';
import { shreddingSchema, type Shredding } from './shred-certificate.js';
import { StoredJson } from './stored-json.js';

interface WrappedKey {
  /** Number of this data key in the ring; sealed bytes name it. */
  readonly number: number;
  /** Base64. */
  readonly wrapped: string;
  readonly context: EncryptionContext;
  /** The ancestor whose objects the key opens; absent when they are the database's own. Its numbers are its own, too. */
  readonly opens?: DatabaseId;
}

/** A data key that a key of the key service wraps. */
export interface ServiceWrappedKey extends WrappedKey {
  readonly mode: 'kms';
  /** The key-service key that wraps it. */
  readonly keyId: string;
}

/** A data key that the key wraps which the client sends. */
export interface ClientWrappedKey extends WrappedKey {
  readonly mode: 'client';
}

export type WrappedDataKey = ServiceWrappedKey | ClientWrappedKey;

/** Who holds the key that a database is unlocked with. */
export type DatabaseEncryption =
  | { readonly mode: 'kms' }
  | {
      readonly mode: 'client';
      /** As it was declared; it decides the length of the client's key and the reserved bytes. */
      readonly cipher: CipherName;
      /** By which the client's key is known, hex; see `ClientKey`. */
      readonly check: string;
    };

export function isServiceWrapped(key: WrappedDataKey): key is ServiceWrappedKey {
  return key.mode === 'kms';
}

/** A data key of the database itself that seals nothing new: it leaves the ring when nothing that is kept needs it. */
export interface RetiringKey {
  readonly number: number;
  readonly retiredAtMs: number;
  /** The last generation that needs it, itself or for its archive, or one after that; number 0: none, maybe. */
  readonly usedBy: { readonly number: number; readonly commit: number; readonly commitTimeMs: number };
  /** History is not kept for its sake: it is dropped as soon as the present state is sealed anew. */
  readonly dropHistory?: boolean;
}

/** Names a generation object and proves it: its digest is checked before anything in it is believed. */
export interface GenerationReference {
  /** Place in the line of branches of the database it belongs to; absent for the first. */
  readonly source?: number;
  readonly term: number;
  readonly number: number;
  /** SHA-256 of the generation object, hex. */
  readonly digest: string;
  /** Last commit that is folded in. */
  readonly commit: number;
  readonly commitTimeMs: number;
}

/**
 * Fragments that follow the generation and lie in an object of their own: what a branch began with, or what a database
 * was deleted with. The next generation folds them in.
 */
export interface CarriedFragments {
  /** Random, part of the object's name. */
  readonly attempt: string;
  /** SHA-256 of the object, hex. */
  readonly digest: string;
  /** Last commit in it. */
  readonly commit: number;
}

/** Keeps a generation, and all it refers to, for a branch. */
export interface Pin {
  readonly child: DatabaseId;
  /** One attempt to make the branch; the child's manifest names the one that did. */
  readonly attempt: string;
  readonly generation: GenerationReference;
  readonly pinnedAtMs: number;
}

/** Where a branch came from. */
export interface BranchPoint {
  readonly database: DatabaseId;
  readonly name: string;
  /** The attempt whose pin protects what the branch shares. */
  readonly attempt: string;
  /** The last commit that both have. */
  readonly commit: number;
  readonly commitTimeMs: number;
  readonly branchedAtMs: number;
  /** Set when nothing that the branch keeps belongs to an ancestor any more: the pin is not needed. */
  readonly released?: boolean;
}

/** A list of objects that the manifest gave up, to be deleted by whoever owns the database. */
export interface GarbageReference {
  readonly attempt: string;
  readonly digest: string;
}

/** A database that was created for a file: until it has one, it has no content and takes no other requests. */
export interface AwaitedFile {
  /** The upload that is under way; one that is begun anew takes its place. */
  readonly upload?: {
    /** Random. */
    readonly attempt: string;
    /** Its segments are stored for this generation. */
    readonly term: number;
    readonly number: number;
    readonly sizeBytes: number;
    readonly startedAtMs: number;
  };
}

export interface Manifest extends Holds {
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
  readonly encryption: DatabaseEncryption;
  /** Raised by every claim. */
  readonly term: number;
  /** The epoch that may write under `term`; absent when nobody does. */
  readonly owner?: NodeEpoch;
  readonly currentKey: number;
  readonly keys: readonly WrappedDataKey[];
  /** Since when `currentKey` is the current one; absent: since the database was created. */
  readonly currentKeySinceMs?: number;
  /** Absent when the ring holds no other key of the database itself than the current one. */
  readonly retiring?: readonly RetiringKey[];
  /** Absent while the database is as it was created: empty. */
  readonly generation?: GenerationReference;
  readonly awaitedFile?: AwaitedFile;
  /** The upload that it began as. */
  readonly uploadedAs?: string;
  /** Log ranges of former owners, oldest first, that no generation has folded in. */
  readonly tail: readonly LogRange[];
  /** The databases that this one was branched from, the oldest first; absent for one that is no branch. */
  readonly ancestors?: readonly DatabaseId[];
  readonly parent?: BranchPoint;
  readonly carried?: CarriedFragments;
  readonly pins?: readonly Pin[];
  /** The oldest generation that is kept for going back in time; absent while all are. */
  readonly horizon?: GenerationReference;
  readonly garbage?: GarbageReference;
  /** Number of the generation up to which what crashed folds left behind was looked for. */
  readonly sweptUpTo?: number;
  /** On a tombstone: its content is deleted, and what wrapped its data keys. */
  readonly collected?: boolean;
  /** On a tombstone: it is not to be brought back, and what wraps its data keys is to be destroyed at once. */
  readonly shredRequest?: { readonly by: string; readonly atMs: number; readonly copies: readonly string[] };
  /** On a tombstone that holds no wrapped keys any more: older versions of it, which do, are yet to be deleted. */
  readonly shredding?: Shredding;
  /** On a tombstone: SHA-256 of the certificate that says that there is none, hex. */
  readonly certificate?: string;
}

/** The line of branches that leads to a database, the oldest first and itself last. */
export function lineOf(manifest: Pick<Manifest, 'id' | 'ancestors'>): DatabaseId[] {
  return [...(manifest.ancestors ?? []), manifest.id];
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

const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const attempt = { type: 'string', pattern: '^[0-9a-f]{16}$' } as const;

export const generationReferenceSchema = object(
  { term: count, number: count, digest, commit: count, commitTimeMs: count },
  { source: count },
);

const wrappedKey = {
  number: count,
  wrapped: { type: 'string', maxLength: 16_384 },
  context: object({ deployment: text, organization: text, group: text, database: uuid }),
} as const;

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
    encryption: {
      oneOf: [
        object({ mode: { const: 'kms' } }),
        object({ mode: { const: 'client' }, cipher: { enum: cipherNames }, check: digest }),
      ],
    },
    term: count,
    currentKey: count,
    keys: {
      type: 'array',
      items: {
        oneOf: [
          object({ ...wrappedKey, mode: { const: 'kms' }, keyId: text }, { opens: uuid }),
          object({ ...wrappedKey, mode: { const: 'client' } }, { opens: uuid }),
        ],
      },
    },
    tail: { type: 'array', items: logRangeSchema },
  },
  {
    deletedAtMs: count,
    owner: epoch,
    generation: generationReferenceSchema,
    awaitedFile: object(
      {},
      { upload: object({ attempt, term: count, number: count, sizeBytes: count, startedAtMs: count }) },
    ),
    uploadedAs: attempt,
    ancestors: { type: 'array', items: uuid },
    parent: object(
      { database: uuid, name: text, attempt, commit: count, commitTimeMs: count, branchedAtMs: count },
      { released: { type: 'boolean' } },
    ),
    carried: object({ attempt, digest, commit: count }),
    pins: {
      type: 'array',
      items: object({ child: uuid, attempt, generation: generationReferenceSchema, pinnedAtMs: count }),
    },
    horizon: generationReferenceSchema,
    garbage: object({ attempt, digest }),
    sweptUpTo: count,
    collected: { type: 'boolean' },
    shredRequest: object({ by: text, atMs: count, copies: { type: 'array', items: text } }),
    shredding: shreddingSchema,
    certificate: digest,
    holds: holdsSchema,
    releasedHolds: releasedHoldsSchema,
    currentKeySinceMs: count,
    retiring: {
      type: 'array',
      items: object(
        {
          number: count,
          retiredAtMs: count,
          usedBy: object({ number: count, commit: count, commitTimeMs: count }),
        },
        { dropHistory: { type: 'boolean' } },
      ),
    },
  },
);

export const storedManifest = new StoredJson<Manifest>('turso-byoc/manifest/1', {
  ...manifestSchema,
  // Only a tombstone whose content is gone has no key.
  anyOf: [
    { properties: { keys: { type: 'array', minItems: 1 } } },
    { properties: { collected: { const: true } }, required: ['collected'] },
  ],
});
