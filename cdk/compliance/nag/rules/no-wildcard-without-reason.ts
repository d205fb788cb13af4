import { NagRuleCompliance } from 'cdk-nag';
import type { Statement } from '../../iam/policy-document.js';
import { deployedStatements, isCeiling } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

const policiesOfIdentities = new Set([
  'AWS::IAM::Role',
  'AWS::IAM::Policy',
  'AWS::IAM::RolePolicy',
  'AWS::IAM::ManagedPolicy',
]);

/** Actions that IAM knows no resource for: `*` is all that can be written. */
const withoutResource = new Set([
  'ecr:GetAuthorizationToken',
  'cloudwatch:PutMetricData',
  'ec2:DescribeAvailabilityZones',
  'ec2:DescribeInstances',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DescribeVpcs',
  'ecs:DiscoverPollEndpoint',
  'kms:GenerateRandom',
  'kms:ListAliases',
  'kms:ListKeys',
  'logs:DescribeLogGroups',
  'ssmmessages:CreateControlChannel',
  'ssmmessages:CreateDataChannel',
  'ssmmessages:OpenControlChannel',
  'ssmmessages:OpenDataChannel',
  'sts:GetCallerIdentity',
  'xray:PutTelemetryRecords',
  'xray:PutTraceSegments',
]);

export const noWildcardWithoutReason: Rule = {
  name: 'NoWildcardWithoutReason',
  info: 'A statement allows every action of a service, every action but some, or an action on every resource.',
  explanation:
    'Name actions and resources. Where a wildcard has to be, acknowledge this finding and say why; the evidence lists the reason.',
  check: (node) => {
    if (!policiesOfIdentities.has(node.cfnResourceType) || isCeiling(node)) return NagRuleCompliance.NOT_APPLICABLE;
    const findings = deployedStatements(node)
      .filter((statement) => statement.Effect === 'Allow' && statement.Principal === undefined)
      .flatMap(wildcards);
    return findings.length > 0 ? [...new Set(findings)] : NagRuleCompliance.COMPLIANT;
  },
};

function wildcards(statement: Statement): readonly string[] {
  const everything = (statement.Action ?? []).filter((action) => action === '*' || action.endsWith(':*'));
  const onEverything = (statement.Resource ?? []).includes('*')
    ? (statement.Action ?? []).filter((action) => !withoutResource.has(action)).map((action) => `${action}-on-*`)
    : [];
  return [
    ...everything,
    ...onEverything,
    ...(statement.NotAction ? ['NotAction'] : []),
    ...(statement.NotResource ? ['NotResource'] : []),
  ];
}
