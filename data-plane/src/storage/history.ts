/**
 * The generations of a database as a skip list, so that one of weeks ago is found in a few reads: each names the one it
 * was made from and, for k = 1, 2, …, the last one before it whose height is a multiple of 4^k.
 */
import type { Generation } from './generation.js';
import type { GenerationReference } from './manifest.js';

const fanOut = 4;

/** What the generation that is made from this one names as earlier ones. */
export function earlierGenerations(
  reference: GenerationReference,
  { height, earlier }: Generation,
): GenerationReference[] {
  const references = [reference];
  for (let distance = fanOut, level = 1; distance < height + 1; distance *= fanOut, level++) {
    references.push(height % distance === 0 ? reference : (earlier[level] as GenerationReference));
  }
  return references;
}

/** A place in a history: between a generation and the next. */
export interface HistoryPlace {
  /** The last generation before; absent where the database was still empty. */
  readonly base?: GenerationReference;
  /** The generation after, whose archive leads there from the base; absent when there is none. */
  readonly next?: { readonly reference: GenerationReference; readonly generation: Generation };
}

/**
 * Finds where a history turns from generations that are not beyond something to generations that are. `isBeyond` must be
 * true for all after the first for which it is. No generation is read that is not beyond.
 */
export async function findPlace(
  latest: GenerationReference | undefined,
  isBeyond: (reference: GenerationReference) => boolean,
  read: (reference: GenerationReference) => Promise<Generation>,
): Promise<HistoryPlace> {
  if (!latest || !isBeyond(latest)) return latest ? { base: latest } : {};
  for (let reference = latest; ;) {
    const generation = await read(reference);
    const farthest = generation.earlier
      .filter(isBeyond)
      .reduce<GenerationReference | undefined>(
        (least, candidate) => (least && least.commit <= candidate.commit ? least : candidate),
        undefined,
      );
    if (!farthest) {
      const [base] = generation.earlier;
      return { ...(base && { base }), next: { reference, generation } };
    }
    reference = farthest;
  }
}
