/**
 * Which data keys stored objects are sealed under. Each generation says it of itself and of its archive; the manifest
 * says of each key that seals nothing new which generation was the last to need it.
 *
 * Invariant: every generation above the one that `RetiringKey` names, and its archive, can be opened without that key.
 */
import { fragmentKeyNumber } from './fragment.js';
import type { SealedFragment } from './fragment-chain.js';
import type { Generation, SegmentReference } from './generation.js';
import { lineOf, type GenerationReference, type Manifest, type RetiringKey } from './manifest.js';

/** A data key: the place in the line of branches of the database that it belongs to, and its number there. */
export type DataKeyUse = readonly [source: number, number: number];

/** A set of data keys in the order in which they are stored. */
export class DataKeysUsed {
  readonly #used = new Map<string, DataKeyUse>();

  add(source: number, number: number): this {
    this.#used.set(`${source}/${number}`, [source, number]);
    return this;
  }

  addSegments(segments: readonly SegmentReference[]): this {
    for (const segment of segments) this.add(segment[7] ?? 0, segment[6]);
    return this;
  }

  addFragment(line: readonly string[], { bytes, header }: Pick<SealedFragment, 'bytes' | 'header'>): this {
    return this.add(line.indexOf(header.database), fragmentKeyNumber(bytes));
  }

  list(): DataKeyUse[] {
    return [...this.#used.values()].sort(([a, m], [b, n]) => a - b || m - n);
  }
}

/** Whether something of the present generation, or of its archive, is still sealed under a key that is to leave. */
export function isResealing({ generation, retiring = [] }: Manifest): boolean {
  return retiring.some(({ usedBy }) => !generation || generation.number <= usedBy.number);
}

/** Whether no kept generation needs a key any more, as far as going back in time is concerned. */
export function isPastHistory({ generation, horizon }: Manifest, { usedBy }: RetiringKey): boolean {
  return (
    horizon !== undefined &&
    generation !== undefined &&
    horizon.number > usedBy.number &&
    generation.number > usedBy.number
  );
}

/**
 * The manifest that names a new generation, noting which keys that are to leave it still needs. What a branch shares with
 * its ancestors counts for all of them: it is sealed anew as well.
 */
export function withGeneration<M extends Omit<Manifest, 'version'>>(
  manifest: M,
  reference: GenerationReference,
  { imageKeys, archiveKeys }: Pick<Generation, 'imageKeys' | 'archiveKeys'>,
): M {
  const named = { ...manifest, generation: reference };
  if (!manifest.retiring) return named;
  const own = lineOf(manifest).length - 1;
  const isShared = imageKeys.some(([source]) => source !== own);
  const used = new Set([...imageKeys, ...archiveKeys].flatMap(([source, key]) => (source === own ? [key] : [])));
  const { number, commit, commitTimeMs } = reference;
  const retiring = manifest.retiring.map((key) =>
    isShared || used.has(key.number) ? { ...key, usedBy: { number, commit, commitTimeMs } } : key,
  );
  return { ...named, retiring };
}
