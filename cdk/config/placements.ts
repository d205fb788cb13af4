import type { ResolvedConfiguration, ZoneConfiguration } from './deployment-configuration.js';

/** Data nodes that are deployed and scaled together. */
export interface Placement {
  /** `all`, or the name of the zone. */
  readonly name: string;
  readonly zones: readonly ZoneConfiguration[];
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * Where data nodes run: beside the log. A regional log is near to every zone; a log in one zone has its nodes in that zone, which it
 * could not do without anyway; a log in three zones has as many nodes in each, which are rolled and scaled zone by zone.
 */
export function placements({
  log,
  zones,
  dataNodes: { minimum, maximum },
}: ResolvedConfiguration): readonly Placement[] {
  switch (log.kind) {
    case 'standard':
      return [{ name: 'all', zones, minimum, maximum }];
    case 'express': {
      const near = zones.filter(({ id }) => id === log.zoneId);
      return near.map((zone) => ({ name: zone.name, zones: [zone], minimum, maximum }));
    }
    case 'express-quorum': {
      const share = (nodes: number): number => Math.ceil(nodes / zones.length);
      return zones.map((zone) => ({
        name: zone.name,
        zones: [zone],
        minimum: share(minimum),
        maximum: share(maximum),
      }));
    }
  }
}
