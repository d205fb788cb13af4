/**
 * Legal holds of a database: what could be restored from a moment on is kept until the hold is released, whatever else
 * would let it go. A database may be held for several matters; each has a reference of its own, and is released alone.
 *
 * Invariant: while a hold stands in a manifest nothing that a restore to its moment or a later one needs is recorded as garbage,
 * and no wrapped key leaves that opens such a thing. Holds stand in the manifest, so that its conditional write puts each
 * before or after any decision to delete.
 */
import { ByocError } from '../errors/catalogue.js';

/** An erasure that was asked for and not yet done when a hold was placed. It must be asked for again. */
export type InterruptedErasure = 'shred' | 'drop-history';

export interface LegalHold {
  /** What the matter is called: one hold for each. */
  readonly reference: string;
  readonly reason: string;
  /** Everything from this moment on is kept, the state at it included. */
  readonly sinceMs: number;
  readonly placedBy: string;
  readonly placedAtMs: number;
  readonly interrupted?: readonly InterruptedErasure[];
}

export interface ReleasedHold extends LegalHold {
  readonly releasedBy: string;
  readonly releasedAtMs: number;
}

/** What a manifest says of holds. */
export interface Holds {
  /** Absent when there is none; never empty. */
  readonly holds?: readonly LegalHold[];
  /** The latest ones that were released, the oldest first: who held the database, and who let it go. */
  readonly releasedHolds?: readonly ReleasedHold[];
}

/** At a time. */
export const maxHolds = 16;
/** That are remembered. */
export const maxReleasedHolds = 32;

/** A line of text: no control characters, and not only blanks. */
const line = { type: 'string', minLength: 1, pattern: '^(?!\\s+$)[^\\u0000-\\u001f\\u007f]+$' } as const;
export const holdReferenceSchema = { ...line, maxLength: 128 } as const;
export const holdReasonSchema = { ...line, maxLength: 512 } as const;
export const holdActorSchema = { ...line, maxLength: 256 } as const;
const count = { type: 'integer', minimum: 0 } as const;

const holdFields = {
  reference: holdReferenceSchema,
  reason: holdReasonSchema,
  sinceMs: count,
  placedBy: holdActorSchema,
  placedAtMs: count,
} as const;
const interrupted = { type: 'array', minItems: 1, items: { enum: ['shred', 'drop-history'] } } as const;

function closed(required: Record<string, object>): object {
  const properties = { ...required, interrupted };
  return { type: 'object', properties, required: Object.keys(required), additionalProperties: false };
}

/** As they stand in a manifest. */
export const holdsSchema = { type: 'array', minItems: 1, maxItems: maxHolds, items: closed(holdFields) } as const;
export const releasedHoldsSchema = {
  type: 'array',
  minItems: 1,
  maxItems: maxReleasedHolds,
  items: closed({ ...holdFields, releasedBy: holdActorSchema, releasedAtMs: count }),
} as const;

/** The moment from which on everything is kept; undefined when the database is not held. */
export function heldSinceMs({ holds }: Holds): number | undefined {
  return holds && Math.min(...holds.map(({ sinceMs }) => sinceMs));
}

/** Throws `DATABASE_HELD`. Says neither why nor for which matter: whoever asked may not be meant to know. */
export function assertNotHeld(manifest: Holds & { readonly name: string }, wish: string): void {
  if (manifest.holds === undefined) return;
  throw new ByocError('DATABASE_HELD', `database ${manifest.name} is under a legal hold: ${wish}`);
}
