import { ManagedPolicy, Role, ServicePrincipal, type IPrincipal, type PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { RoleKind } from '../config/deployment-names.js';
import type { DeploymentContext } from './deployment-context.js';

/** The role of one process, of ECS in its name, or of one person: named after it, with one policy of the same name. */
export function processRole(
  scope: Construct,
  { names }: DeploymentContext,
  kind: RoleKind,
  props: { readonly description: string; readonly assumedBy: IPrincipal; readonly statements: PolicyStatement[] },
): Role {
  const policy = new ManagedPolicy(scope, 'Policy', {
    managedPolicyName: names.role(kind),
    description: props.description,
    statements: props.statements,
  });
  return new Role(scope, 'Role', {
    roleName: names.role(kind),
    description: props.description,
    assumedBy: props.assumedBy,
    managedPolicies: [policy],
  });
}

/** ECS tasks of this account and region, and nobody who pretends to be ECS for another account. */
export function ecsTasks({ configuration, names }: DeploymentContext): IPrincipal {
  const { account, region } = configuration;
  return new ServicePrincipal('ecs-tasks.amazonaws.com').withConditions({
    StringEquals: { 'aws:SourceAccount': account },
    ArnLike: { 'aws:SourceArn': `arn:${names.partition}:ecs:${region}:${account}:*` },
  });
}
