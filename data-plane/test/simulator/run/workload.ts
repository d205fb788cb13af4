/**
 * What a run is about, beside what every run is about. `plain`: nothing else. `branches`: databases are branched, now and
 * as they were before, while they are written and their garbage may be collected. `history`: little history is kept and
 * garbage collected all the time, while writers stand still and are replaced. `keys`: databases get other data keys while
 * they are written, branched and collected. `zones`: the log is kept in three zones, of
 * which one fails.
 */
import { smallSettings } from '../node/node-settings.js';
import type { DatabasePolicy } from '@turso-byoc/data-plane/database/node-context.js';
import type { Random } from '../world/random.js';
import type { Misfortunes } from './misfortune.js';

export const workloadNames = ['plain', 'branches', 'history', 'keys', 'zones'] as const;

export type WorkloadName = (typeof workloadNames)[number];

export interface Workload {
  readonly hasZones: boolean;
  readonly policy: DatabasePolicy;
  /** What happens in every run, unless nothing does. */
  readonly misfortunes: readonly Misfortunes[];
  readonly makesBranches: boolean;
  readonly rekeys: boolean;
  /** Whether nodes look for garbage by themselves from time to time, also when nobody asks for anything. */
  readonly sweeps: boolean;
}

const { policy } = smallSettings;

/** A run's workload; draws nothing for a plain one. */
export function drawWorkload(name: WorkloadName, random: Random): Workload {
  const plain = { hasZones: false, policy, misfortunes: [], makesBranches: false, rekeys: false, sweeps: false };
  switch (name) {
    case 'plain':
      return plain;
    case 'branches': {
      const collectEveryMs = random.pick([0, 1_500]);
      const historyMs = random.pick([3_000, 15_000, policy.historyMs]);
      const foldFragments = random.pick([4, 12]);
      return {
        ...plain,
        policy: { ...policy, historyMs, collectEveryMs, foldFragments },
        makesBranches: true,
        sweeps: collectEveryMs > 0,
      };
    }
    case 'history': {
      const historyMs = random.pick([0, 1_000, 5_000]);
      const undeleteMs = random.pick([2_000, policy.undeleteMs]);
      return {
        ...plain,
        policy: { ...policy, historyMs, undeleteMs, collectEveryMs: random.pick([500, 1_500]), foldFragments: 4 },
        misfortunes: ['stalls'],
        makesBranches: random.chance(30),
        sweeps: true,
      };
    }
    case 'keys': {
      const historyMs = random.pick([0, 2_000, policy.historyMs]);
      return {
        ...plain,
        policy: { ...policy, historyMs, collectEveryMs: random.pick([500, 1_500]), foldFragments: 4 },
        misfortunes: ['stalls'],
        makesBranches: random.chance(50),
        rekeys: true,
        sweeps: true,
      };
    }
    case 'zones':
      return { ...plain, hasZones: true, misfortunes: ['zone failures'] };
  }
}
