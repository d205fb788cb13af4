import { when, type Rule } from '../rule.js';

export const zoneRules: readonly Rule[] = [
  {
    code: 'ZONE_OUTSIDE_REGION',
    demands: 'Every zone is one of the region.',
    broken: ({ zones, region }) =>
      zones.flatMap(({ name }, index) =>
        when(
          name.slice(0, -1) !== region,
          `zones[${index}].name`,
          `${name} is no zone of ${region}; name zones of ${region}, such as ${region}a`,
        ),
      ),
  },
  {
    code: 'ZONE_REPEATED',
    demands: 'No zone name and no zone id stands twice.',
    broken: ({ zones }) =>
      (['name', 'id'] as const).flatMap((field) =>
        zones.flatMap((zone, index) =>
          when(
            zones.findIndex((other) => other[field] === zone[field]) < index,
            `zones[${index}].${field}`,
            `${zone[field]} stands twice; name every zone once, with its own id`,
          ),
        ),
      ),
  },
  {
    code: 'ZONE_IDS_OF_TWO_REGIONS',
    demands: 'The ids of the zones begin alike: those of one region do.',
    broken: ({ zones }) => {
      const prefixes = [...new Set(zones.map(({ id }) => id.split('-')[0]))];
      return when(
        prefixes.length > 1,
        'zones',
        `the zone ids belong to different regions (${prefixes.join(', ')}); take name and id of each zone from one line of \`aws ec2 describe-availability-zones\``,
      );
    },
  },
  {
    code: 'ZONES_TOO_FEW',
    demands: 'There are two zones at least, and three where removal protection is on.',
    broken: ({ zones, removalProtection }) => {
      const needed = removalProtection ? 3 : 2;
      return when(
        zones.length < needed,
        'zones',
        `${zones.length} of ${needed} zones; add zones, ${removalProtection ? 'or set removalProtection to false if this is no production' : 'a load balancer needs two'}`,
      );
    },
  },
];
