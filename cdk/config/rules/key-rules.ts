import { regionOf } from '../arn.js';
import type { KeyConfiguration } from '../deployment-configuration.js';
import { when, type Rule } from '../rule.js';

export const keyRules: readonly Rule[] = [
  {
    code: 'KEY_OF_ANOTHER_REGION',
    demands: 'Imported keys are keys of this region.',
    broken: ({ keys, region }) => {
      const named: readonly (readonly [string, KeyConfiguration])[] = [
        ['keys.databases', keys.databases],
        ...keys.groups.map(({ key }, index) => [`keys.groups[${index}].key`, key] as const),
      ];
      return named.flatMap(([path, key]) =>
        when(
          key.kind === 'import' && regionOf(key.arn) !== region,
          `${path}.arn`,
          `the key is one of another region than ${region}, and nodes cannot rewrap across regions; name a key of ${region}`,
        ),
      );
    },
  },
  {
    code: 'GROUP_REPEATED',
    demands: 'No group has two keys.',
    broken: ({ keys: { groups } }) =>
      groups.flatMap(({ group }, index) =>
        when(
          groups.findIndex((other) => other.group === group) < index,
          `keys.groups[${index}].group`,
          `group ${group} stands twice; give it one key`,
        ),
      ),
  },
];
