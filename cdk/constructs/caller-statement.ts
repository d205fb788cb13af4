import { AccountRootPrincipal, AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';

export interface CallerStatementProps {
  readonly sid: string;
  readonly actions: readonly string[];
  /** @default every resource that the policy is attached to */
  readonly resources?: readonly string[];
  /** ARNs of the roles that are meant. */
  readonly roleArns: readonly string[];
  readonly conditions?: Readonly<Record<string, unknown>>;
}

/**
 * Lets roles of this account do something, in a resource's policy. They are named by a condition and not as principals: a policy
 * whose principal does not exist yet is refused, and one whose principal was deleted and made again silently names nobody.
 * Being let in here is not enough for them, since the account as principal leaves it to their own policies too.
 */
export function allowRoles({ sid, actions, resources, roleArns, conditions }: CallerStatementProps): PolicyStatement {
  const arnEquals = (conditions?.['ArnEquals'] ?? {}) as Readonly<Record<string, unknown>>;
  return new PolicyStatement({
    sid,
    effect: Effect.ALLOW,
    principals: [new AccountRootPrincipal()],
    actions: [...actions],
    resources: [...(resources ?? ['*'])],
    conditions: { ...conditions, ArnEquals: { ...arnEquals, 'aws:PrincipalArn': [...roleArns] } },
  });
}

export interface LinkedRoleStatementProps {
  readonly sid: string;
  readonly actions: readonly string[];
  /** The account that the role is in. */
  readonly account: string;
  /** ARN of a service-linked role of this account; it need not exist yet. */
  readonly roleArn: string;
  readonly conditions?: Readonly<Record<string, unknown>>;
}

/**
 * Lets a service-linked role do something with a key. AWS writes its policies, and they have nothing of keys that customers made: being
 * let in here has to be enough for it, so that it is everybody who is let in, under the condition of being that role.
 */
export function allowLinkedRole({
  sid,
  actions,
  account,
  roleArn,
  conditions,
}: LinkedRoleStatementProps): PolicyStatement {
  const stringEquals = (conditions?.['StringEquals'] ?? {}) as Readonly<Record<string, unknown>>;
  return new PolicyStatement({
    sid,
    effect: Effect.ALLOW,
    principals: [new AnyPrincipal()],
    actions: [...actions],
    resources: ['*'],
    conditions: {
      ...conditions,
      StringEquals: { ...stringEquals, 'kms:CallerAccount': account },
      ArnEquals: { 'aws:PrincipalArn': roleArn },
    },
  });
}
