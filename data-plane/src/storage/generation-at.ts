import type { Generation } from './generation.js';
import type { GenerationReference } from './manifest.js';

/** A generation and what names it. */
export interface NamedGeneration {
  readonly reference: GenerationReference;
  readonly generation: Generation;
}

const fanOut = 4;

/**
 * The generation of a height in the history that leads to `latest`, found in a few reads along the skip list; undefined when it
 * lies before the last generation that holds no commit after `earliestCommit`: what is older may be gone.
 */
export async function generationAt(
  latest: NamedGeneration,
  height: number,
  earliestCommit: number,
  read: (reference: GenerationReference) => Promise<Generation>,
): Promise<NamedGeneration | undefined> {
  let current = latest;
  while (current.generation.height > height) {
    if (current.reference.commit <= earliestCommit) return undefined;
    const next = lowestNotBelow(current.generation, height);
    if (!next) return undefined;
    current = { reference: next, generation: await read(next) };
  }
  return current.generation.height === height ? current : undefined;
}

/** Of the earlier generations that one names, the lowest that is not below a height. See `history.ts` for their heights. */
function lowestNotBelow({ height, earlier }: Generation, wanted: number): GenerationReference | undefined {
  let best: GenerationReference | undefined;
  for (let level = 0, distance = 1; level < earlier.length; level++, distance *= fanOut) {
    if (Math.floor((height - 1) / distance) * distance >= wanted) best = earlier[level];
  }
  return best;
}
