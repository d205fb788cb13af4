/**
 * What every deployment keeps, whatever its configuration: looked for in the synthesized templates, so that it holds for what is
 * deployed and not for what was meant.
 */
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { DeploymentNames } from '../config/deployment-names.js';
import type { SynthesizedStack, TemplateResource } from '../stacks/synthesize.js';
import { at, listOf, referenceOf, textsIn } from './json.js';
import { untaggableTypes } from './untaggable-types.js';

/** One thing that does not hold. */
export interface Violation {
  readonly property: string;
  /** `<stack>/<logical id>`, or the stack. */
  readonly where: string;
}

interface Located extends TemplateResource {
  readonly id: string;
  readonly stack: SynthesizedStack;
}

interface Context {
  readonly configuration: ResolvedConfiguration;
  readonly names: DeploymentNames;
  readonly resources: readonly Located[];
}

interface TemplateProperty {
  readonly name: string;
  /** The resources where it does not hold. */
  readonly broken: (context: Context) => readonly Located[];
}

/** Everything that does not hold in the templates of a deployment. */
export function violations(
  configuration: ResolvedConfiguration,
  stacks: readonly SynthesizedStack[],
): readonly Violation[] {
  const resources = stacks.flatMap((stack) =>
    Object.entries(stack.template.Resources).map(([id, resource]) => ({ ...resource, id, stack })),
  );
  const context = { configuration, names: new DeploymentNames(configuration), resources };
  return [
    ...templateProperties.flatMap(({ name, broken }) =>
      broken(context).map(({ id, stack }) => ({ property: name, where: `${stack.kind}/${id}` })),
    ),
    ...stacks
      .filter(({ terminationProtection }) => terminationProtection !== configuration.removalProtection)
      .map(({ kind }) => ({ property: 'stacks are protected from termination', where: kind })),
  ];
}

const bucketTypes = ['AWS::S3::Bucket', 'AWS::S3Express::DirectoryBucket'];
const statefulTypes = [...bucketTypes, 'AWS::KMS::Key', 'AWS::SecretsManager::Secret', 'AWS::Logs::LogGroup'];

/** Each with the words that a failure of it prints. */
const templateProperties: readonly TemplateProperty[] = [
  {
    name: 'buckets deny plain HTTP',
    broken: ({ resources }) =>
      ofTypes(resources, bucketTypes).filter(
        (bucket) =>
          !statementsAbout(bucket, resources).some(
            (statement) =>
              at(statement, 'Effect') === 'Deny' &&
              at(statement, 'Condition', 'Bool', 'aws:SecureTransport') === 'false' &&
              isEverybody(at(statement, 'Principal')) &&
              listOf(at(statement, 'Action')).some((action) => action === 's3:*' || action === 's3express:*'),
          ),
      ),
  },
  {
    name: 'buckets deny wrong keys',
    broken: ({ resources, names }) =>
      ofTypes(resources, bucketTypes)
        .filter((bucket) => at(bucket.Properties, 'BucketName') !== names.bucket('access'))
        .filter(
          (bucket) =>
            !statementsAbout(bucket, resources).some(
              (statement) =>
                at(statement, 'Effect') === 'Deny' &&
                Object.keys(at(statement, 'Condition', 'StringNotEquals') ?? {}).some((key) =>
                  key.endsWith(':x-amz-server-side-encryption-aws-kms-key-id'),
                ),
            ),
        ),
  },
  {
    name: 'buckets are not public',
    broken: ({ resources }) =>
      ofTypes(resources, ['AWS::S3::Bucket']).filter(
        (bucket) =>
          !['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'].every(
            (setting) => at(bucket.Properties, 'PublicAccessBlockConfiguration', setting) === true,
          ),
      ),
  },
  {
    name: 'everything at rest is encrypted with a customer key',
    broken: ({ resources, names }) => resources.filter((resource) => !isEncrypted(resource, names)),
  },
  {
    name: 'keys that encrypt are rotated',
    broken: ({ resources }) =>
      ofTypes(resources, ['AWS::KMS::Key']).filter(
        ({ Properties }) =>
          at(Properties, 'KeyUsage') !== 'SIGN_VERIFY' && at(Properties, 'EnableKeyRotation') !== true,
      ),
  },
  {
    name: 'administration and use of keys are apart',
    broken: ({ resources }) =>
      ofTypes(resources, ['AWS::KMS::Key']).filter(({ Properties }) =>
        listOf(at(Properties, 'KeyPolicy', 'Statement')).some((statement) => {
          const actions = listOf(at(statement, 'Action')).map(String);
          const uses = actions.some((action) =>
            /^kms:(\*|Decrypt|Encrypt|GenerateDataKey|ReEncrypt|Sign)/.test(action),
          );
          const administers = actions.some((action) => /^kms:(\*|Put|Schedule|Disable|Delete)/.test(action));
          return (uses && administers) || (uses && at(statement, 'Condition') === undefined);
        }),
      ),
  },
  {
    name: 'nothing is open to the world unless exposure is public',
    broken: ({ resources, configuration }) =>
      configuration.exposure.kind === 'public'
        ? []
        : ofTypes(resources, ['AWS::EC2::SecurityGroup', 'AWS::EC2::SecurityGroupIngress']).filter(
            ({ Type, Properties }) => {
              const rules =
                Type === 'AWS::EC2::SecurityGroup' ? listOf(at(Properties, 'SecurityGroupIngress')) : [Properties];
              return rules.some((rule) => at(rule, 'CidrIp') === '0.0.0.0/0' || at(rule, 'CidrIpv6') === '::/0');
            },
          ),
  },
  {
    name: 'load balancers face the internet only if exposure is public',
    broken: ({ resources, configuration }) =>
      ofTypes(resources, ['AWS::ElasticLoadBalancingV2::LoadBalancer']).filter(
        ({ Properties }) =>
          at(Properties, 'Scheme') !== (configuration.exposure.kind === 'public' ? 'internet-facing' : 'internal'),
      ),
  },
  {
    name: 'there is a way to the internet only for public exposure or egress',
    broken: ({ resources, configuration }) =>
      configuration.exposure.kind === 'public' || configuration.egress.kind !== 'off'
        ? []
        : ofTypes(resources, [
            'AWS::EC2::InternetGateway',
            'AWS::EC2::NatGateway',
            'AWS::EC2::EgressOnlyInternetGateway',
          ]),
  },
  {
    name: 'no route leads from data nodes to the internet',
    broken: ({ resources }) =>
      ofTypes(resources, ['AWS::EC2::Route']).filter(({ Properties }) =>
        /Routesnodes/i.test(referenceOf(at(Properties, 'RouteTableId')) ?? ''),
      ),
  },
  {
    name: 'every role has the boundary',
    broken: ({ resources, names }) =>
      ofTypes(resources, ['AWS::IAM::Role']).filter(
        ({ Properties }) => at(Properties, 'PermissionsBoundary') !== names.boundaryArn,
      ),
  },
  {
    name: 'no role passes or assumes another one',
    broken: ({ resources, names }) =>
      ofTypes(resources, ['AWS::IAM::Role', 'AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']).filter(
        ({ Properties }) =>
          // The boundary gives nothing; it bounds.
          at(Properties, 'ManagedPolicyName') !== names.boundary &&
          [
            ...listOf(at(Properties, 'Policies')).flatMap((policy) =>
              listOf(at(policy, 'PolicyDocument', 'Statement')),
            ),
            ...listOf(at(Properties, 'PolicyDocument', 'Statement')),
          ].some(
            (statement) =>
              at(statement, 'Effect') === 'Allow' &&
              listOf(at(statement, 'Action')).some(
                (action) => typeof action === 'string' && /^(\*|iam:.*|sts:.*)$/.test(action),
              ),
          ),
      ),
  },
  {
    name: 'roles are assumed by services, or by those that are configured',
    broken: ({ resources, configuration }) =>
      ofTypes(resources, ['AWS::IAM::Role']).filter(({ Properties }) =>
        listOf(at(Properties, 'AssumeRolePolicyDocument', 'Statement')).some((statement) =>
          listOf(at(statement, 'Principal', 'AWS')).some(
            (principal) => !configuration.emergency.principalArns.includes(String(principal)),
          ),
        ),
      ),
  },
  {
    name: 'nobody outside the account is let in but those that are configured',
    broken: ({ resources, configuration }) =>
      resources.filter(({ Properties, Type }) =>
        Type === 'AWS::EC2::VPCEndpointServicePermissions'
          ? false
          : textsIn(principalsIn(Properties)).some((text) => {
              const account = /^arn:[^:]+:iam::(\d{12}):/.exec(text)?.[1] ?? /^\d{12}$/.exec(text)?.[0];
              return (
                account !== undefined && ![configuration.account, ...configuration.trustedAccounts].includes(account)
              );
            }),
      ),
  },
  {
    name: 'everything is tagged',
    broken: ({ resources, configuration }) =>
      resources.filter(({ Type, Properties }) => {
        if (untaggableTypes.has(Type)) return false;
        const tags =
          at(Properties, 'Tags') ?? at(Properties, 'HostedZoneTags') ?? at(Properties, 'TagSpecifications', 0, 'Tags');
        const value = Array.isArray(tags)
          ? at(
              tags.find((tag) => at(tag, 'Key') === 'turso-byoc:deployment'),
              'Value',
            )
          : at(tags, 'turso-byoc:deployment');
        return value !== configuration.name;
      }),
  },
  {
    name: 'what holds state is retained',
    broken: ({ resources, configuration, names }) =>
      ofTypes(resources, statefulTypes).filter((resource) => {
        const stays = configuration.removalProtection || isOfAuditTrail(resource, names.bucket('audit'));
        const expected = stays ? 'Retain' : 'Delete';
        return resource.DeletionPolicy !== expected || resource.UpdateReplacePolicy !== expected;
      }),
  },
  {
    name: 'containers are not root, cannot write, and are named by digest',
    broken: ({ resources }) =>
      ofTypes(resources, ['AWS::ECS::TaskDefinition']).filter(({ Properties }) =>
        listOf(at(Properties, 'ContainerDefinitions')).some(
          (container) =>
            at(container, 'ReadonlyRootFilesystem') !== true ||
            /^(0|root|)(:|$)/.test(userOf(container)) ||
            !/@sha256:[0-9a-f]{64}$/.test(String(at(container, 'Image'))),
        ),
      ),
  },
];

/** Whether it is the locked bucket of the audit trail, its policy, or the key that it is encrypted under. */
function isOfAuditTrail({ Properties }: Located, bucket: string): boolean {
  const tags = listOf(at(Properties, 'Tags'));
  const purpose = tags.find((tag) => at(tag, 'Key') === 'turso-byoc:key');
  return [at(Properties, 'BucketName'), at(Properties, 'Bucket')].includes(bucket) || at(purpose, 'Value') === 'audit';
}

function ofTypes(resources: readonly Located[], types: readonly string[]): readonly Located[] {
  return resources.filter(({ Type }) => types.includes(Type));
}

/** Statements of the policy of a bucket. */
function statementsAbout(bucket: Located, resources: readonly Located[]): readonly unknown[] {
  return ofTypes(resources, ['AWS::S3::BucketPolicy', 'AWS::S3Express::BucketPolicy'])
    .filter(({ stack, Properties }) => {
      const named = at(Properties, 'Bucket');
      const isNamed = named === at(bucket.Properties, 'BucketName') || referenceOf(named) === bucket.id;
      return stack === bucket.stack && isNamed;
    })
    .flatMap(({ Properties }) => listOf(at(Properties, 'PolicyDocument', 'Statement')));
}

/** The user that a container runs as; empty where it names none, which is root. */
function userOf(container: unknown): string {
  const user = at(container, 'User');
  return typeof user === 'string' ? user : '';
}

function isEverybody(principal: unknown): boolean {
  return principal === '*' || at(principal, 'AWS') === '*';
}

/** Every value of a `Principal` in any policy of a resource. */
function principalsIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === 'Principal' ? [inner] : principalsIn(inner)));
}

/** Where each type that keeps something names its key. */
const keyPlaces: Readonly<Record<string, readonly (string | number)[]>> = {
  'AWS::S3::Bucket': [
    'BucketEncryption',
    'ServerSideEncryptionConfiguration',
    0,
    'ServerSideEncryptionByDefault',
    'KMSMasterKeyID',
  ],
  'AWS::S3Express::DirectoryBucket': [
    'BucketEncryption',
    'ServerSideEncryptionConfiguration',
    0,
    'ServerSideEncryptionByDefault',
    'KMSMasterKeyID',
  ],
  'AWS::Logs::LogGroup': ['KmsKeyId'],
  'AWS::SecretsManager::Secret': ['KmsKeyId'],
  'AWS::SNS::Topic': ['KmsMasterKeyId'],
  'AWS::CloudTrail::Trail': ['KMSKeyId'],
  'AWS::Config::DeliveryChannel': ['S3KmsKeyArn'],
  'AWS::ECS::Cluster': ['Configuration', 'ManagedStorageConfiguration', 'FargateEphemeralStorageKmsKeyId'],
  'AWS::EC2::LaunchTemplate': ['LaunchTemplateData', 'BlockDeviceMappings', 0, 'Ebs', 'KmsKeyId'],
  'AWS::EKS::Cluster': ['EncryptionConfig', 0, 'Provider', 'KeyArn'],
};

function isEncrypted({ Type, Properties }: Located, names: DeploymentNames): boolean {
  const place = keyPlaces[Type];
  // AWS delivers access logs only into a bucket under keys of S3 itself.
  if (place === undefined || at(Properties, 'BucketName') === names.bucket('access')) return true;
  return at(Properties, ...place) !== undefined;
}
