/** What a database is encrypted with, which data keys its ring holds, and why each is still there. Asks no key service. */
import { isPastHistory, isResealing } from '../storage/data-key-use.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import { isServiceWrapped, lineOf, type Manifest, type RetiringKey } from '../storage/manifest.js';
import type { DatabaseId } from '../identity.js';
import { currentKeyOf } from './database-keys.js';
import type { NodeContext } from './node-context.js';

/** Why a data key is in the ring. */
export type KeyReason =
  /** New objects are sealed under it. */
  | { readonly because: 'current' }
  /** The present state is not sealed anew yet; that goes on while the database is open, and with every collection. */
  | { readonly because: 'resealing' }
  /** Going back in time needs it, until then at the latest when the database is collected after that. */
  | { readonly because: 'history'; readonly untilMs: number }
  /** A legal hold keeps history that needs it. */
  | { readonly because: 'hold' }
  /** What is kept for a branch is sealed under it. */
  | { readonly because: 'branch'; readonly branch: DatabaseId }
  /** Nothing needs it; it leaves with the next collection. */
  | { readonly because: 'collection' }
  /** It opens what is shared with an ancestor. */
  | { readonly because: 'shared'; readonly ancestor: DatabaseId };

export interface DataKeyState {
  /** Numbers of an ancestor's keys are its own. */
  readonly number: number;
  /** The key of the key service that wraps it; absent when a key that the client holds does. */
  readonly keyId?: string;
  readonly retiredAtMs?: number;
  readonly reasons: readonly KeyReason[];
}

export interface EncryptionState {
  readonly id: DatabaseId;
  /** Who holds the key that wraps the data keys. */
  readonly mode: 'kms' | 'client';
  /** As it was declared, where the client holds the key. */
  readonly cipher?: string;
  /** Number of the data key that new objects are sealed under. */
  readonly currentKey: number;
  readonly currentKeySinceMs: number;
  /** Whether nothing of the present state is sealed under an older key. */
  readonly isResealed: boolean;
  readonly dataKeys: readonly DataKeyState[];
}

/** Pins whose generations are read at once. */
const parallelReads = 16;

/** Of a database that is not deleted. Throws the errors of the store. */
export async function encryptionState(context: NodeContext, manifest: Manifest): Promise<EncryptionState> {
  const { id, createdAtMs, currentKey, currentKeySinceMs = createdAtMs, retiring = [] } = manifest;
  const pinned = retiring.length > 0 ? await branchesByKey(context, manifest) : new Map<number, DatabaseId[]>();
  const current = currentKeyOf(manifest);
  const dataKeys = [current, ...manifest.keys.filter((key) => key !== current)].map((key): DataKeyState => {
    const { number, opens } = key;
    const named = { number, ...(isServiceWrapped(key) && { keyId: key.keyId }) };
    if (opens !== undefined) return { ...named, reasons: [{ because: 'shared', ancestor: opens }] };
    const retired = retiring.find((one) => one.number === number);
    if (!retired) return { ...named, reasons: [{ because: 'current' }] };
    const reasons = reasonsOf(context, manifest, retired, pinned.get(number) ?? []);
    return { ...named, retiredAtMs: retired.retiredAtMs, reasons };
  });
  const { encryption } = manifest;
  const held = { mode: encryption.mode, ...(encryption.mode === 'client' && { cipher: encryption.cipher }) };
  return { id, ...held, currentKey, currentKeySinceMs, isResealed: !isResealing(manifest), dataKeys };
}

function reasonsOf(
  { policy }: NodeContext,
  manifest: Manifest,
  retired: RetiringKey,
  branches: readonly DatabaseId[],
): KeyReason[] {
  const reasons: KeyReason[] = branches.map((branch) => ({ because: 'branch', branch }));
  if (isResealing({ ...manifest, retiring: [retired] })) return [{ because: 'resealing' }, ...reasons];
  if (!isPastHistory(manifest, retired) && retired.dropHistory !== true) {
    if (manifest.holds) reasons.unshift({ because: 'hold' });
    reasons.unshift({ because: 'history', untilMs: retired.usedBy.commitTimeMs + policy.historyMs });
  }
  return reasons.length > 0 ? reasons : [{ because: 'collection' }];
}

/** By the number of a data key of the database the branches for whose sake something is kept that is sealed under it. */
async function branchesByKey(
  { runtime, dataStore }: NodeContext,
  manifest: Manifest,
): Promise<Map<number, DatabaseId[]>> {
  const line = lineOf(manifest);
  const found = new Map<number, DatabaseId[]>();
  const pins = manifest.pins ?? [];
  for (let start = 0; start < pins.length; start += parallelReads) {
    const batch = pins.slice(start, start + parallelReads);
    const generations = await Promise.all(
      batch.map(async ({ generation }) => readGenerationWithoutKey(runtime, dataStore, line, generation)),
    );
    generations.forEach(({ imageKeys }, index) => {
      const { child } = batch[index] as (typeof batch)[number];
      for (const [source, number] of imageKeys) {
        if (source === line.length - 1) found.set(number, [...(found.get(number) ?? []), child]);
      }
    });
  }
  return found;
}
