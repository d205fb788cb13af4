/** One block per rule: what it finds, and what it lets pass. */
import { App, CfnResource, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { ruleSettings } from './rule-settings.js';
import type { RuleSettings } from './rule.js';
import { TursoByocChecks, tursoByocRules } from './turso-byoc-checks.js';

const settings: RuleSettings = {
  trustedAccounts: ['444455556666'],
  leastLogRetentionDays: 365,
  leastKeyDeletionDays: 30,
};
const environment = { account: '111122223333', region: 'eu-central-1' };
const digest = `@sha256:${'a'.repeat(64)}`;

type Resources = Readonly<Record<string, readonly [type: string, properties: object]>>;

/** The findings of one rule, by its name, in a stack with these resources. */
function findingsOf(rule: string, resources: Resources, prepare?: (stack: Stack) => void): readonly string[] {
  const app = new App();
  const stack = new Stack(app, 'Stack', { env: environment });
  for (const [id, [type, properties]] of Object.entries(resources))
    new CfnResource(stack, id, { type, properties: { ...properties } });
  prepare?.(stack);
  return new TursoByocChecks(app, settings)
    .validateScope(app)
    .violations.map(({ ruleName }) => ruleName)
    .filter((name) => name.replace(/\[.*/s, '') === `TursoByoc-${rule}`)
    .map((name) => name.replace(/^TursoByoc-/, ''));
}

function resourceIn(stack: Stack, id: string): CfnResource {
  const child = stack.node.findChild(id);
  if (!CfnResource.isCfnResource(child)) throw new Error(`${id} is no resource`);
  return child;
}

const tested = new Set<string>();
function describeRule(
  name: string,
  body: (findings: (resources: Resources, prepare?: (stack: Stack) => void) => readonly string[]) => void,
): void {
  tested.add(name);
  describe(name, () => body((resources, prepare) => findingsOf(name, resources, prepare)));
}

const policy = (...Statement: readonly object[]) => ({ PolicyDocument: { Version: '2012-10-17', Statement } });
const allow = (Action: unknown, Resource: unknown = 'arn:aws:x', more: object = {}) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
});
const inlineRole = (...Statement: readonly object[]): Resources => ({
  Role: ['AWS::IAM::Role', { PermissionsBoundary: 'arn', Policies: [{ PolicyName: 'p', ...policy(...Statement) }] }],
});

describe('the own rules', () => {
  it('have a block here each', () => {
    expect([...tested].sort()).toEqual(tursoByocRules.map(({ name }) => name).sort());
  });

  it('can be acknowledged one finding at a time, with a reason', () => {
    const acknowledged = (id: string) => (stack: Stack) =>
      Validations.of(stack).acknowledge({ id, reason: 'the agent has to look at all of them' });
    const resources = inlineRole(allow(['a:One', 'a:Two'], '*'));
    expect(
      findingsOf('NoWildcardWithoutReason', resources, acknowledged('TursoByoc-NoWildcardWithoutReason[a:One-on-*]')),
    ).toEqual(['NoWildcardWithoutReason[a:Two-on-*]']);
  });

  it('take their settings from the configuration', () => {
    const configuration = {
      trustedAccounts: ['999988887777'],
      retention: { logDays: 731 },
      keys: { deletionWindowDays: 14 },
    } as unknown as Parameters<typeof ruleSettings>[0];
    expect(ruleSettings(configuration)).toEqual({
      trustedAccounts: ['999988887777'],
      leastLogRetentionDays: 731,
      leastKeyDeletionDays: 14,
    });
  });

  it('see what an override changed, not what the construct was given', () => {
    expect(
      findingsOf('LogRetentionAtLeast', { Group: ['AWS::Logs::LogGroup', { RetentionInDays: 731 }] }, (stack) =>
        resourceIn(stack, 'Group').addPropertyOverride('RetentionInDays', 7),
      ),
    ).toHaveLength(1);
  });
});

const directoryBucket = (encryption?: object): Resources => ({
  Bucket: [
    'AWS::S3Express::DirectoryBucket',
    { DataRedundancy: 'SingleAvailabilityZone', LocationName: 'z', BucketEncryption: encryption },
  ],
});
const encryptedWith = (SSEAlgorithm: string, KMSMasterKeyID?: string) => ({
  ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm, KMSMasterKeyID } }],
});

describeRule('DirectoryBucketKmsRequired', (findings) => {
  it('wants a customer key', () => {
    expect(findings(directoryBucket())).toHaveLength(1);
    expect(findings(directoryBucket(encryptedWith('AES256')))).toHaveLength(1);
    expect(findings(directoryBucket(encryptedWith('aws:kms')))).toHaveLength(1);
    expect(findings(directoryBucket(encryptedWith('aws:kms', 'arn:aws:kms:…')))).toEqual([]);
  });
});

describeRule('DirectoryBucketDenyInsecureTransport', (findings) => {
  const withPolicy = (statement: object): Resources => ({
    ...directoryBucket(),
    Policy: ['AWS::S3Express::BucketPolicy', { Bucket: { Ref: 'Bucket' }, ...policy(statement) }],
  });
  const deny = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3express:*',
    Resource: '*',
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  it('wants everybody denied, in a policy of this bucket', () => {
    expect(findings(withPolicy(deny))).toEqual([]);
    expect(findings(withPolicy({ ...deny, Principal: { AWS: '*' } }))).toEqual([]);
    expect(findings(directoryBucket())).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Effect: 'Allow' }))).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Principal: { AWS: 'arn:aws:iam::111122223333:role/one' } }))).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }))).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Action: 's3express:DeleteBucket' }))).toHaveLength(1);
    const [bucket] = Object.values(directoryBucket());
    expect(findings({ ...withPolicy(deny), Other: bucket! })).toHaveLength(1);
  });
});

describeRule('DirectoryBucketCreateSessionScoped', (findings) => {
  const bucket = 'arn:aws:s3express:eu-central-1:111122223333:bucket/a--euc1-az1--x-s3';
  const mode = { Condition: { StringEquals: { 's3express:SessionMode': 'ReadWrite' } } };
  it('wants buckets and a mode', () => {
    expect(findings(inlineRole(allow('s3express:CreateSession', bucket, mode)))).toEqual([]);
    expect(findings(inlineRole(allow('s3express:CreateSession', '*', mode)))).toHaveLength(1);
    expect(findings(inlineRole(allow('s3express:CreateSession', bucket)))).toHaveLength(1);
    expect(findings(inlineRole(allow('s3express:*', bucket)))).toHaveLength(1);
  });
  it('does not mind what only limits', () => {
    expect(findings({ Boundary: ['AWS::IAM::ManagedPolicy', policy(allow('s3express:CreateSession', '*'))] })).toEqual(
      [],
    );
  });
});

describeRule('BucketDenyWrongKey', (findings) => {
  const key = 's3:x-amz-server-side-encryption-aws-kms-key-id';
  const withPolicy = (statement: object): Resources => ({
    Bucket: ['AWS::S3::Bucket', { BucketEncryption: encryptedWith('aws:kms', 'arn:aws:kms:…') }],
    Policy: ['AWS::S3::BucketPolicy', { Bucket: { Ref: 'Bucket' }, ...policy(statement) }],
  });
  const deny = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: '*',
    Condition: { StringNotEqualsIfExists: { [key]: 'arn' } },
  };
  it('wants writes with another key denied', () => {
    expect(findings(withPolicy(deny))).toEqual([]);
    expect(findings(withPolicy({ ...deny, Action: 's3:GetObject' }))).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Condition: { StringEquals: { [key]: 'arn' } } }))).toHaveLength(1);
    expect(findings(withPolicy({ ...deny, Principal: { AWS: 'arn:aws:iam::111122223333:root' } }))).toHaveLength(1);
  });
  it('is for buckets with a key', () => {
    expect(findings({ Bucket: ['AWS::S3::Bucket', { BucketEncryption: encryptedWith('AES256') }] })).toEqual([]);
  });
});

describeRule('NoInternetRoute', (findings) => {
  it('finds gateways and routes to everywhere', () => {
    for (const type of ['InternetGateway', 'NatGateway', 'EgressOnlyInternetGateway']) {
      expect(findings({ Gateway: [`AWS::EC2::${type}`, {}] })).toHaveLength(1);
    }
    expect(
      findings({ Route: ['AWS::EC2::Route', { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-1' }] }),
    ).toHaveLength(1);
    expect(
      findings({ Route: ['AWS::EC2::Route', { DestinationIpv6CidrBlock: '::/0', EgressOnlyInternetGatewayId: 'e' }] }),
    ).toHaveLength(1);
    expect(
      findings({ Route: ['AWS::EC2::Route', { DestinationCidrBlock: '10.0.0.0/8', GatewayId: 'vgw-1' }] }),
    ).toEqual([]);
  });
});

describeRule('NoPublicLoadBalancer', (findings) => {
  const type = 'AWS::ElasticLoadBalancingV2::LoadBalancer';
  it('takes no word for public', () => {
    expect(findings({ Balancer: [type, { Scheme: 'internal' }] })).toEqual([]);
    expect(findings({ Balancer: [type, { Scheme: 'internet-facing' }] })).toHaveLength(1);
    expect(findings({ Balancer: [type, {}] })).toHaveLength(1);
  });
});

describeRule('NoForeignPrincipal', (findings) => {
  const topic = (Principal: unknown, more: object = {}): Resources => ({
    Policy: ['AWS::SNS::TopicPolicy', { Topics: ['t'], ...policy({ ...allow('sns:Publish', '*', more), Principal }) }],
  });
  it('knows the own account, trusted accounts and services', () => {
    expect(findings(topic({ AWS: 'arn:aws:iam::111122223333:root' }))).toEqual([]);
    expect(findings(topic({ AWS: '111122223333' }))).toEqual([]);
    expect(findings(topic({ AWS: 'arn:aws:iam::444455556666:role/partner' }))).toEqual([]);
    expect(findings(topic({ Service: 'events.amazonaws.com' }))).toEqual([]);
    expect(findings(topic({ AWS: { 'Fn::GetAtt': ['Role', 'Arn'] } }))).toEqual([]);
  });
  it('finds other accounts, each by name', () => {
    expect(findings(topic({ AWS: ['arn:aws:iam::999988887777:root', 'arn:aws:iam::111122223333:root'] }))).toEqual([
      'NoForeignPrincipal[arn:aws:iam::999988887777:root]',
    ]);
    expect(findings(topic({ Federated: 'accounts.google.com' }))).toHaveLength(1);
  });
  it('finds everybody, unless a condition leaves only known ones', () => {
    expect(findings(topic('*'))).toEqual(['NoForeignPrincipal[*]']);
    expect(findings(topic({ AWS: '*' }, { Condition: { Bool: { 'aws:SecureTransport': 'true' } } }))).toHaveLength(1);
    expect(findings(topic('*', { Condition: { StringEquals: { 'aws:PrincipalAccount': '111122223333' } } }))).toEqual(
      [],
    );
    expect(
      findings(topic('*', { Condition: { StringEquals: { 'aws:PrincipalAccount': '999988887777' } } })),
    ).toHaveLength(1);
    expect(
      findings(topic('*', { Condition: { StringNotEquals: { 'aws:PrincipalAccount': '111122223333' } } })),
    ).toHaveLength(1);
    expect(findings(topic('*', { Condition: { StringLike: { 'aws:PrincipalArn': '*' } } }))).toHaveLength(1);
  });
  it('reads trust policies, and lets denials be', () => {
    const trust = (Principal: unknown) => ({
      AssumeRolePolicyDocument: policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal }).PolicyDocument,
    });
    expect(findings({ Role: ['AWS::IAM::Role', trust({ AWS: 'arn:aws:iam::999988887777:root' })] })).toHaveLength(1);
    expect(findings(topic('*', { Effect: 'Deny' }))).toEqual([]);
  });
});

describeRule('KmsEncryptionContextRequired', (findings) => {
  it('wants to know for what a key may be used', () => {
    expect(findings(inlineRole(allow(['kms:Decrypt', 'kms:DescribeKey'])))).toEqual([
      'KmsEncryptionContextRequired[kms:Decrypt]',
    ]);
    expect(findings(inlineRole(allow('kms:*')))).toHaveLength(4);
    expect(findings(inlineRole(allow('kms:GenerateDataKey*')))).toHaveLength(2);
    const context = { Condition: { StringEquals: { 'kms:EncryptionContext:deployment': 'shop' } } };
    expect(findings(inlineRole(allow('kms:Decrypt', 'arn', context)))).toEqual([]);
    const service = { Condition: { StringEquals: { 'kms:ViaService': 's3.eu-central-1.amazonaws.com' } } };
    expect(findings(inlineRole(allow('kms:Decrypt', 'arn', service)))).toEqual([]);
    expect(findings(inlineRole(allow('kms:Sign')))).toEqual([]);
  });
  it('reads key policies: the account is left to IAM, a service has to say for whom', () => {
    const key = (Principal: object, more: object = {}): Resources => ({
      Key: ['AWS::KMS::Key', { KeyPolicy: policy({ ...allow('kms:Decrypt', '*', more), Principal }).PolicyDocument }],
    });
    expect(findings(key({ AWS: 'arn:aws:iam::111122223333:root' }))).toEqual([]);
    expect(findings(key({ AWS: 'arn:aws:iam::111122223333:role/one' }))).toHaveLength(1);
    expect(findings(key({ Service: 'logs.amazonaws.com' }))).toHaveLength(1);
    expect(
      findings(key({ Service: 'logs.amazonaws.com' }, { Condition: { ArnLike: { 'aws:SourceArn': 'arn' } } })),
    ).toEqual([]);
  });
});

describeRule('LogRetentionAtLeast', (findings) => {
  it('wants the configured time', () => {
    expect(findings({ Group: ['AWS::Logs::LogGroup', { RetentionInDays: 365 }] })).toEqual([]);
    expect(findings({ Group: ['AWS::Logs::LogGroup', { RetentionInDays: 180 }] })).toHaveLength(1);
    expect(findings({ Group: ['AWS::Logs::LogGroup', {}] })).toHaveLength(1);
  });
});

const task = (container: object): Resources => ({
  Task: ['AWS::ECS::TaskDefinition', { ContainerDefinitions: [{ Name: 'node', ...container }] }],
});

describeRule('ImageByDigest', (findings) => {
  it('wants a digest, also behind joined parts', () => {
    expect(findings(task({ Image: `registry/image${digest}` }))).toEqual([]);
    expect(findings(task({ Image: { 'Fn::Join': ['', [{ Ref: 'AWS::AccountId' }, `.dkr/image${digest}`]] } }))).toEqual(
      [],
    );
    expect(findings(task({ Image: 'registry/image:latest' }))).toEqual(['ImageByDigest[node]']);
    expect(findings(task({ Image: 'registry/image@sha256:abc' }))).toHaveLength(1);
  });
});

describeRule('ContainerHardened', (findings) => {
  const hardened = {
    ReadonlyRootFilesystem: true,
    User: '10001',
    LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
  };
  it('names each weakness', () => {
    expect(findings(task(hardened))).toEqual([]);
    expect(findings(task({ ...hardened, User: undefined }))).toEqual(['ContainerHardened[node:root-user]']);
    expect(findings(task({ ...hardened, User: '0:0' }))).toEqual(['ContainerHardened[node:root-user]']);
    expect(findings(task({ ...hardened, ReadonlyRootFilesystem: false }))).toEqual([
      'ContainerHardened[node:writable-root]',
    ]);
    expect(findings(task({ ...hardened, Privileged: true }))).toEqual(['ContainerHardened[node:privileged]']);
    expect(findings(task({ ...hardened, LinuxParameters: undefined }))).toEqual([
      'ContainerHardened[node:capabilities]',
    ]);
  });
});

describeRule('PermissionsBoundaryPresent', (findings) => {
  it('wants one on every role and user', () => {
    expect(findings({ Role: ['AWS::IAM::Role', { PermissionsBoundary: 'arn' }] })).toEqual([]);
    expect(findings({ Role: ['AWS::IAM::Role', {}] })).toHaveLength(1);
    expect(findings({ User: ['AWS::IAM::User', {}] })).toHaveLength(1);
  });
});

describeRule('NoWildcardWithoutReason', (findings) => {
  it('finds wildcards of actions and resources, and exclusions', () => {
    expect(findings(inlineRole(allow('s3:*')))).toEqual(['NoWildcardWithoutReason[s3:*]']);
    expect(findings(inlineRole(allow('s3:GetObject', '*')))).toEqual(['NoWildcardWithoutReason[s3:GetObject-on-*]']);
    expect(findings(inlineRole({ Effect: 'Allow', NotAction: 'iam:*', Resource: 'arn' }))).toEqual([
      'NoWildcardWithoutReason[NotAction]',
    ]);
    expect(findings(inlineRole({ Effect: 'Allow', Action: 's3:GetObject', NotResource: 'arn' }))).toEqual([
      'NoWildcardWithoutReason[NotResource]',
    ]);
    expect(findings(inlineRole(allow('s3:GetObject', 'arn:aws:s3:::bucket/*')))).toEqual([]);
    expect(findings(inlineRole({ ...allow('*', '*'), Effect: 'Deny' }))).toEqual([]);
  });
  it('knows actions without a resource', () => {
    expect(findings(inlineRole(allow('ecr:GetAuthorizationToken', '*')))).toEqual([]);
  });
});

describeRule('EndpointPolicyNotWildcard', (findings) => {
  const endpoint = (document?: object): Resources => ({
    Endpoint: ['AWS::EC2::VPCEndpoint', { PolicyDocument: document }],
  });
  const everything = { ...allow('*', '*'), Principal: '*' };
  it('wants a policy that limits', () => {
    expect(findings(endpoint())).toHaveLength(1);
    expect(findings(endpoint(policy(everything).PolicyDocument))).toHaveLength(1);
    const own = { ...everything, Condition: { StringEquals: { 'aws:PrincipalAccount': '111122223333' } } };
    expect(findings(endpoint(policy(own).PolicyDocument))).toEqual([]);
    expect(findings(endpoint(policy(own, everything).PolicyDocument))).toHaveLength(1);
  });
});

describeRule('Imdsv2HopLimit1', (findings) => {
  const template = (MetadataOptions?: object): Resources => ({
    Template: ['AWS::EC2::LaunchTemplate', { LaunchTemplateData: { MetadataOptions } }],
  });
  it('wants tokens and one hop', () => {
    expect(findings(template({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 }))).toEqual([]);
    expect(findings(template({ HttpTokens: 'optional', HttpPutResponseHopLimit: 1 }))).toHaveLength(1);
    expect(findings(template({ HttpTokens: 'required', HttpPutResponseHopLimit: 2 }))).toHaveLength(1);
    expect(findings(template())).toHaveLength(1);
    expect(findings({ Old: ['AWS::AutoScaling::LaunchConfiguration', {}] })).toHaveLength(1);
    expect(findings({ Instance: ['AWS::EC2::Instance', {}] })).toHaveLength(1);
  });
});

describeRule('StatefulResourceRetained', (findings) => {
  it('wants buckets and keys to stay', () => {
    const keep = (stack: Stack) => resourceIn(stack, 'Key').applyRemovalPolicy(RemovalPolicy.RETAIN);
    expect(findings({ Key: ['AWS::KMS::Key', {}] }, keep)).toEqual([]);
    expect(findings({ Key: ['AWS::KMS::Key', {}] })).toHaveLength(1);
    expect(findings({ Bucket: ['AWS::S3::Bucket', {}] })).toHaveLength(1);
  });
});

describeRule('KeyDeletionWindow', (findings) => {
  it('wants the configured time', () => {
    expect(findings({ Key: ['AWS::KMS::Key', {}] })).toEqual([]);
    expect(findings({ Key: ['AWS::KMS::Key', { PendingWindowInDays: 7 }] })).toHaveLength(1);
  });
});
