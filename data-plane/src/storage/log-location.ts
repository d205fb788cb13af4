import type { NodeEpoch } from '../identity.js';
import type { IndexedFragment } from './log-object.js';

/** Where one fragment lies in an epoch's commit log: [position, offset, length, first commit, last commit]. */
export type FragmentLocation = readonly [
  position: number,
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

export const fragmentLocationSchema = {
  type: 'array',
  items: Array.from({ length: 5 }, () => ({ type: 'integer', minimum: 0 })),
  minItems: 5,
  additionalItems: false,
} as const;
