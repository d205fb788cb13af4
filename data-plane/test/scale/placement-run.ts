/** Where the product's rendezvous hashing puts every database of a fleet, and what moves when a zone is lost. */
import { createHash } from 'node:crypto';
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import { preferredNode } from '@turso-byoc/data-plane/ownership/placement.js';
import { zones, type Fleet } from './fleets.js';

export interface PlacementResult {
  /** Databases that were placed: all of the fleet's, or as many as the run was given. */
  readonly placed: number;
  readonly fullestOfMean: number;
  readonly emptiestOfMean: number;
  /** After the loss of a zone: part of the databases that moved, and the fullest node of the mean that was before. */
  readonly movedPart: number;
  readonly fullestOfMeanAfterLoss: number;
  /** Databases that moved although their node stayed: must be none. */
  readonly movedWithoutReason: number;
  readonly microsecondsEach: number;
}

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** `most`: places no more databases than that. */
export function placementRun(fleet: Fleet, most: number): PlacementResult {
  const nodes = Array.from({ length: fleet.nodes }, (_, index) => hex(`node ${index}`).slice(0, 32) as NodeEpoch);
  const staying = nodes.filter((_, index) => index % zones !== 0);
  const lost = new Set(nodes.filter((_, index) => index % zones === 0));
  const placed = Math.min(most, fleet.databases);
  const [before, after] = [new Map<string, number>(), new Map<string, number>()];
  let [moved, movedWithoutReason] = [0, 0];
  const startedMs = performance.now();
  let placements = 0;
  for (let index = 0; index < placed; index++) {
    const id = uuid(hex(`database ${index}`)) as DatabaseId;
    const first = preferredNode(id, nodes) ?? '';
    placements += 1;
    before.set(first, (before.get(first) ?? 0) + 1);
    let second: string = first;
    // The others stay where they are, by the rule of rendezvous hashing: of these a part is asked again all the same.
    if (lost.has(first as NodeEpoch) || index % 50 === 0) {
      second = preferredNode(id, staying) ?? '';
      placements += 1;
    }
    after.set(second, (after.get(second) ?? 0) + 1);
    if (second === first) continue;
    moved += 1;
    if (!lost.has(first as NodeEpoch)) movedWithoutReason += 1;
  }
  const microsecondsEach = ((performance.now() - startedMs) * 1_000) / placements;
  const mean = placed / nodes.length;
  return {
    placed,
    fullestOfMean: Math.max(...before.values()) / mean,
    emptiestOfMean: Math.min(...nodes.map((node) => before.get(node) ?? 0)) / mean,
    movedPart: moved / placed,
    fullestOfMeanAfterLoss: Math.max(...after.values()) / mean,
    movedWithoutReason,
    microsecondsEach,
  };
}

function uuid(digits: string): string {
  return digits.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
