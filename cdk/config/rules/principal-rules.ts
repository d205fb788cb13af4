import { accountOf } from '../arn.js';
import type { ResolvedConfiguration } from '../deployment-configuration.js';
import { when, type Rule } from '../rule.js';

/** Every ARN in the configuration that names somebody, or something of somebody, with its path. */
function namedArns(configuration: ResolvedConfiguration): readonly (readonly [path: string, arn: string])[] {
  const { keys, emergency, exposure, compute, alarms } = configuration;
  const all = (path: string, arns: readonly string[]) => arns.map((arn, index) => [`${path}[${index}]`, arn] as const);
  return [
    ...all('keys.administratorRoleArns', keys.administratorRoleArns),
    ...all('keys.auditorRoleArns', keys.auditorRoleArns),
    ...[keys.databases].flatMap((key) => (key.kind === 'import' ? [['keys.databases.arn', key.arn] as const] : [])),
    ...keys.groups.flatMap(({ key }, index) =>
      key.kind === 'import' ? [[`keys.groups[${index}].key.arn`, key.arn] as const] : [],
    ),
    ...all('emergency.principalArns', emergency.principalArns),
    ...all('alarms.topicArns', alarms.topicArns),
    ...(exposure.kind === 'privatelink' ? all('exposure.allowedPrincipalArns', exposure.allowedPrincipalArns) : []),
    ...(compute.kind === 'eks' ? all('compute.administratorRoleArns', compute.administratorRoleArns) : []),
  ];
}

export const principalRules: readonly Rule[] = [
  {
    code: 'ACCOUNT_NOT_TRUSTED',
    demands: 'Whoever is named belongs to this account or to a trusted one.',
    broken: (configuration) =>
      namedArns(configuration).flatMap(([path, arn]) =>
        when(
          ![configuration.account, ...configuration.trustedAccounts].includes(accountOf(arn)),
          path,
          `${arn} is of account ${accountOf(arn)}; add that account to trustedAccounts if it is meant, else correct the ARN`,
        ),
      ),
  },
  {
    code: 'EMERGENCY_WITHOUT_PRINCIPALS',
    demands: 'The emergency role names who may assume it.',
    broken: ({ emergency }) =>
      when(
        emergency.enabled && emergency.principalArns.length === 0,
        'emergency.principalArns',
        'nobody may assume the emergency role; name roles or users, or set emergency.enabled to false',
      ),
  },
  {
    code: 'EMERGENCY_FOR_EVERYBODY',
    demands: 'The emergency role names roles or users, not an account.',
    broken: ({ emergency }) =>
      emergency.principalArns.flatMap((arn, index) =>
        when(
          arn.endsWith(':root'),
          `emergency.principalArns[${index}]`,
          `${arn} is everybody of an account; name the roles or users that are on call`,
        ),
      ),
  },
  {
    code: 'BOUNDARY_OF_ANOTHER_ACCOUNT',
    demands: 'An imported permissions boundary is a policy of this account.',
    broken: ({ permissionsBoundary, account }) =>
      when(
        permissionsBoundary.kind === 'import' && accountOf(permissionsBoundary.policyArn) !== account,
        'permissionsBoundary.policyArn',
        `roles take a boundary of their own account only; name a policy of account ${account}`,
      ),
  },
];
