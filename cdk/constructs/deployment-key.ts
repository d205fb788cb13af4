import { Tags } from 'aws-cdk-lib';
import { AccountRootPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnAlias, CfnKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';
import { keepAlways, keepState } from './removal.js';

export interface DeploymentKeyProps {
  readonly context: DeploymentContext;
  /** What it is for; ends its alias, `alias/turso-byoc/<deployment>/<purpose>`. */
  readonly purpose: string;
  readonly description: string;
  /** Who may use it, for what. Nobody else can. */
  readonly uses: readonly PolicyStatement[];
  /** @default an AES-256 key that is rotated */
  readonly signing?: boolean;
  /** Whether what it encrypts is locked, and outlives the deployment whatever is asked. @default false */
  readonly outlives?: boolean;
}

/** What an administrator may do with a key: everything but use it, or have it used by others through a grant. */
const administration = [
  'kms:CancelKeyDeletion',
  'kms:CreateAlias',
  'kms:DeleteAlias',
  'kms:DescribeKey',
  'kms:EnableKey',
  'kms:EnableKeyRotation',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:GetPublicKey',
  'kms:ListAliases',
  'kms:ListGrants',
  'kms:ListKeyPolicies',
  'kms:ListKeyRotations',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:RevokeGrant',
  'kms:RotateKeyOnDemand',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateAlias',
  'kms:UpdateKeyDescription',
];

/** What takes the data away with the key. */
const destruction = ['kms:DisableKey', 'kms:DisableKeyRotation', 'kms:ScheduleKeyDeletion'];

/**
 * A KMS key of the deployment. Its policy is complete: administration without use, destruction for the named administrators only
 * (where there are any), and each use as a statement of its own. IAM policies of the account alone give nobody the use of it.
 */
export class DeploymentKey extends Construct {
  readonly arn: string;
  readonly keyId: string;

  constructor(scope: Construct, id: string, props: DeploymentKeyProps) {
    super(scope, id);
    const { context, purpose, uses, signing = false } = props;
    const { keys } = context.configuration;
    const resource = new CfnKey(this, 'Key', {
      description: `${context.names.prefix}: ${props.description}`,
      keyPolicy: new PolicyDocument({ statements: [...administrationOf(context), ...uses] }),
      pendingWindowInDays: keys.deletionWindowDays,
      ...(signing
        ? { keySpec: 'ECC_NIST_EDWARDS25519', keyUsage: 'SIGN_VERIFY' }
        : { enableKeyRotation: true, rotationPeriodInDays: keys.rotationDays }),
    });
    if (props.outlives === true) keepAlways(resource);
    else keepState(resource, context);
    Tags.of(this).add('turso-byoc:key', purpose);
    new CfnAlias(this, 'Alias', {
      aliasName: `alias/${context.names.keyAlias(purpose)}`,
      targetKeyId: resource.ref,
    });
    this.arn = resource.attrArn;
    this.keyId = resource.ref;
  }
}

function administrationOf({ configuration }: DeploymentContext): readonly PolicyStatement[] {
  const administrators = configuration.keys.administratorRoleArns;
  return [
    new PolicyStatement({
      sid: 'Administration',
      principals: [new AccountRootPrincipal()],
      actions: administration,
      resources: ['*'],
    }),
    new PolicyStatement({
      sid: 'Destruction',
      principals: [new AccountRootPrincipal()],
      actions: destruction,
      resources: ['*'],
      ...(administrators.length > 0 && {
        conditions: { ArnEquals: { 'aws:PrincipalArn': [...administrators] } },
      }),
    }),
  ];
}
