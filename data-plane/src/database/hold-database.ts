/**
 * Places and releases legal holds, by the owner of the database. Whoever decides to delete something decides it by a
 * conditional write of the manifest: it comes before the hold, which is then refused if it wants what is gone, or after
 * it, and has to respect it.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { claim } from '../ownership/claim.js';
import {
  maxHolds,
  maxReleasedHolds,
  type InterruptedErasure,
  type LegalHold,
  type ReleasedHold,
} from '../storage/legal-hold.js';
import type { Manifest } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { earliestMoment } from '../storage/restore-point.js';
import type { NodeContext } from './node-context.js';
import { stillOwned } from './ready-database.js';

/** A hold that is to be placed, or whose reason is to be another one. */
export interface HoldRequest {
  readonly reference: string;
  readonly reason: string;
  readonly requestedBy: string;
  /** Everything from this moment on is to be kept. @default now, or since when the matter holds it already */
  readonly sinceMs?: number;
}

export interface HoldRelease {
  readonly reference: string;
  readonly requestedBy: string;
}

export type HoldChange =
  { readonly kind: 'place'; readonly hold: HoldRequest } | { readonly kind: 'release'; readonly release: HoldRelease };

export interface HoldState {
  readonly id: DatabaseId;
  readonly name: string;
  readonly deletedAtMs?: number;
  readonly holds: readonly LegalHold[];
  readonly released: readonly ReleasedHold[];
}

/** How often the manifest may change under the work. */
const maxRounds = 5;

export function holdState({ id, name, deletedAtMs, holds = [], releasedHolds = [] }: Manifest): HoldState {
  return { id, name, ...(deletedAtMs !== undefined && { deletedAtMs }), holds, released: releasedHolds };
}

/**
 * Changes the holds of a database that this epoch owns, a deleted one included. Returns its manifest as it is then; unchanged
 * when there is nothing to do: calls may be repeated. Throws `HOLD_REFUSED` when what is to be held is gone already, and
 * `DATABASE_MOVED`.
 */
export async function changeHold(
  context: NodeContext,
  owned: VersionedManifest,
  change: HoldChange,
): Promise<VersionedManifest> {
  let current = owned;
  for (let round = 1; ; round++) {
    const { manifest } = current;
    const next = changed(context, manifest, change);
    if (next === manifest) return current;
    const result = await context.manifests.replace(current, next);
    if (!('lost' in result)) return result;
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${manifest.id} changes all the time`);
    current = await stillOwned(context, manifest, result.lost);
  }
}

/** The same for a database that nobody has open: it is claimed for the time of the work. */
export async function changeHoldOfClosed(
  context: NodeContext,
  found: VersionedManifest,
  change: HoldChange,
): Promise<VersionedManifest> {
  const { manifest } = found;
  // Looked at first: what is refused, or done already, claims nothing.
  if (changed(context, manifest, change) === manifest) return found;
  const wasOwned = manifest.owner === context.epoch && manifest.deletedAtMs === undefined;
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const held = await changeHold(context, claimed, change);
  if (wasOwned) return held;
  const { owner: _owner, ...released } = held.manifest;
  const result = await context.manifests.replace(held, released);
  // Lost to somebody who claimed or brought it back: then it is theirs.
  return 'lost' in result ? held : result;
}

function changed(context: NodeContext, manifest: Manifest, change: HoldChange): Manifest {
  return change.kind === 'place' ? placed(context, manifest, change.hold) : released(context, manifest, change.release);
}

function placed({ runtime }: NodeContext, manifest: Manifest, request: HoldRequest): Manifest {
  const { reference, reason, requestedBy } = request;
  const { holds = [], horizon } = manifest;
  const nowMs = runtime.nowMs();
  const present = holds.find((hold) => hold.reference === reference);
  // The clock that gave a commit its time may have been ahead of this one; what is kept is kept.
  const asked = request.sinceMs ?? present?.sinceMs ?? Math.max(nowMs, horizon?.commitTimeMs ?? 0);
  const sinceMs = Math.min(asked, present?.sinceMs ?? asked);
  if (present?.reason === reason && present.sinceMs === sinceMs) return manifest;
  if (manifest.collected === true) throw refused(`the content of database ${manifest.name} is destroyed`);
  if (request.sinceMs !== undefined && request.sinceMs > nowMs) throw refused('the moment lies in the future');
  if (horizon && horizon.commitTimeMs > sinceMs) {
    const since = new Date(earliestMoment(manifest).timeMs).toISOString();
    throw refused(`the history of database ${manifest.name} is kept since ${since} only`);
  }
  if (!present && holds.length >= maxHolds) throw refused(`${maxHolds} matters hold database ${manifest.name} already`);
  const { shredRequest, retiring, ...rest } = manifest;
  const interrupted: InterruptedErasure[] = [
    ...(present?.interrupted ?? []),
    ...(shredRequest ? (['shred'] as const) : []),
    ...(retiring?.some(({ dropHistory }) => dropHistory) ? (['drop-history'] as const) : []),
  ];
  const hold: LegalHold = {
    reference,
    reason,
    sinceMs,
    placedBy: requestedBy,
    placedAtMs: present?.placedAtMs ?? nowMs,
    ...(interrupted.length > 0 && { interrupted }),
  };
  return {
    ...rest,
    ...(retiring && { retiring: retiring.map(({ dropHistory: _dropHistory, ...key }) => key) }),
    holds: [...holds.filter((other) => other !== present), hold],
  };
}

function released({ runtime }: NodeContext, manifest: Manifest, { reference, requestedBy }: HoldRelease): Manifest {
  const { holds, releasedHolds = [], ...rest } = manifest;
  const hold = holds?.find((one) => one.reference === reference);
  if (!holds || !hold) return manifest;
  const left = holds.filter((other) => other !== hold);
  const past = { ...hold, releasedBy: requestedBy, releasedAtMs: runtime.nowMs() };
  return {
    ...rest,
    ...(left.length > 0 && { holds: left }),
    releasedHolds: [...releasedHolds, past].slice(-maxReleasedHolds),
  };
}

function refused(why: string): ByocError {
  return new ByocError('HOLD_REFUSED', why);
}
