import type { NodeEpoch } from '../identity.js';
import type { IndexedFragment } from './log-object.js';

/**
 * Where consecutive commits of one database lie: [place, offset, length, first commit, last commit].
 *
 * A place from 0 up is a position of the epoch's commit log, and the bytes there are one fragment. A place below 0 is a
 * pack, −n being the epoch's pack number n (from 1), and the bytes there are a run of fragments (see `pack.ts`): what
 * comes first in a run may be folded in already.
 */
export type FragmentLocation = readonly [
  place: number,
  offset: number,
  length: number,
  firstCommit: number,
  lastCommit: number,
];

/** What one epoch logged for one database under one term and no generation has folded in yet; in commit order. */
export interface LogRange {
  readonly epoch: NodeEpoch;
  readonly term: number;
  readonly fragments: readonly FragmentLocation[];
}

export function fragmentLocation(position: number, fragment: IndexedFragment): FragmentLocation {
  return [position, fragment.offset, fragment.length, fragment.firstCommit, fragment.lastCommit];
}

/** The location of a run in the epoch's pack number `pack`. */
export function packedLocation(pack: number, run: IndexedFragment): FragmentLocation {
  return [placeOfPack(pack), run.offset, run.length, run.firstCommit, run.lastCommit];
}

/** What locations in the epoch's pack number `pack` have as their place. */
export function placeOfPack(pack: number): number {
  return -pack;
}

/** The number of the pack that a location names, or undefined when it names a position of the log. */
export function packOf([place]: FragmentLocation): number | undefined {
  return place < 0 ? -place : undefined;
}

const count = { type: 'integer', minimum: 0 } as const;

export const fragmentLocationSchema = {
  type: 'array',
  items: [{ type: 'integer' }, count, count, count, count],
  minItems: 5,
  additionalItems: false,
} as const;
