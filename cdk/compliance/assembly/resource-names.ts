import { createHash } from 'node:crypto';
import type { LocatedResource } from './synthesized-app.js';

/** Where a resource is deployed. */
export interface Place {
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/**
 * The name a resource has, or would be given, and its ARN. A name that CloudFormation would draw at random is made of the
 * stack and the logical id instead: any name will do for a proof, as long as it is the same wherever it is referred to.
 */
export interface ResourceNames {
  readonly ref: string;
  readonly arn: string;
}

type Namer = (name: string, place: Place) => ResourceNames;

/** `name` is both what Ref gives and the last part of the ARN. */
function named(
  service: string,
  arnOf: (name: string) => string,
  scope: 'regional' | 'global' | 'bucket' = 'regional',
): Namer {
  return (name, { partition, account, region }) => {
    const where = { regional: `${region}:${account}`, global: `:${account}`, bucket: ':' }[scope];
    return { ref: name, arn: `arn:${partition}:${service}:${where}:${arnOf(name)}` };
  };
}

/** Ref gives the ARN. */
function referredByArn(namer: Namer): Namer {
  return (name, place) => {
    const { arn } = namer(name, place);
    return { ref: arn, arn };
  };
}

/** The property that names a resource of a type, and what becomes of the name. */
const types: Readonly<Record<string, { readonly property?: string; readonly namer: Namer }>> = {
  'AWS::S3::Bucket': { property: 'BucketName', namer: named('s3', (name) => name, 'bucket') },
  'AWS::S3Express::DirectoryBucket': { property: 'BucketName', namer: named('s3express', (name) => `bucket/${name}`) },
  'AWS::KMS::Key': { namer: named('kms', (name) => `key/${name}`) },
  'AWS::KMS::Alias': { property: 'AliasName', namer: named('kms', (name) => name) },
  'AWS::IAM::Role': { property: 'RoleName', namer: named('iam', (name) => `role/${name}`, 'global') },
  'AWS::IAM::User': { property: 'UserName', namer: named('iam', (name) => `user/${name}`, 'global') },
  'AWS::IAM::ManagedPolicy': {
    property: 'ManagedPolicyName',
    namer: referredByArn(named('iam', (name) => `policy/${name}`, 'global')),
  },
  'AWS::IAM::InstanceProfile': {
    property: 'InstanceProfileName',
    namer: named('iam', (name) => `instance-profile/${name}`, 'global'),
  },
  'AWS::Logs::LogGroup': { property: 'LogGroupName', namer: named('logs', (name) => `log-group:${name}:*`) },
  'AWS::SNS::Topic': { property: 'TopicName', namer: referredByArn(named('sns', (name) => name)) },
  'AWS::SQS::Queue': { property: 'QueueName', namer: named('sqs', (name) => name) },
  'AWS::SecretsManager::Secret': {
    property: 'Name',
    namer: referredByArn(named('secretsmanager', (name) => `secret:${name}-aaaaaa`)),
  },
  'AWS::SSM::Parameter': { property: 'Name', namer: named('ssm', (name) => `parameter/${name.replace(/^\//, '')}`) },
  'AWS::ECS::Cluster': { property: 'ClusterName', namer: named('ecs', (name) => `cluster/${name}`) },
  'AWS::ECS::Service': { property: 'ServiceName', namer: referredByArn(named('ecs', (name) => `service/${name}`)) },
  'AWS::ECS::TaskDefinition': {
    property: 'Family',
    namer: referredByArn(named('ecs', (name) => `task-definition/${name}:1`)),
  },
  'AWS::ECR::Repository': { property: 'RepositoryName', namer: named('ecr', (name) => `repository/${name}`) },
  'AWS::EKS::Cluster': { property: 'Name', namer: named('eks', (name) => `cluster/${name}`) },
  'AWS::Lambda::Function': { property: 'FunctionName', namer: named('lambda', (name) => `function:${name}`) },
  'AWS::EC2::VPC': { namer: named('ec2', (name) => `vpc/${name}`) },
  'AWS::EC2::VPCEndpoint': { namer: named('ec2', (name) => `vpc-endpoint/${name}`) },
  'AWS::EC2::SecurityGroup': { namer: named('ec2', (name) => `security-group/${name}`) },
  'AWS::CloudTrail::Trail': { property: 'TrailName', namer: named('cloudtrail', (name) => `trail/${name}`) },
  'AWS::CloudWatch::Alarm': { property: 'AlarmName', namer: named('cloudwatch', (name) => `alarm:${name}`) },
  'AWS::ElasticLoadBalancingV2::LoadBalancer': {
    property: 'Name',
    namer: referredByArn(named('elasticloadbalancing', (name) => `loadbalancer/app/${name}/0123456789abcdef`)),
  },
  'AWS::ElasticLoadBalancingV2::TargetGroup': {
    property: 'Name',
    namer: referredByArn(named('elasticloadbalancing', (name) => `targetgroup/${name}/0123456789abcdef`)),
  },
  'AWS::CertificateManager::Certificate': { namer: referredByArn(named('acm', (name) => `certificate/${name}`)) },
  'AWS::WAFv2::WebACL': {
    property: 'Name',
    namer: named('wafv2', (name) => `regional/webacl/${name}/0123456789abcdef`),
  },
};

/** Ids that AWS draws, with the letters that it puts in front of them. */
const idPrefixes: Readonly<Record<string, string>> = {
  'AWS::EC2::VPC': 'vpc-',
  'AWS::EC2::VPCEndpoint': 'vpce-',
  'AWS::EC2::SecurityGroup': 'sg-',
  'AWS::EC2::Subnet': 'subnet-',
  'AWS::EC2::RouteTable': 'rtb-',
};

/**
 * @param resolve resolves intrinsic functions in the property that names the resource.
 */
export function namesOf(
  { stack, logicalId, resource }: LocatedResource,
  place: Place,
  resolve: (value: unknown) => unknown,
): ResourceNames {
  const type = types[resource.Type];
  const given = type?.property === undefined ? undefined : resolve(resource.Properties?.[type.property]);
  const name = typeof given === 'string' ? given : drawnName(stack.name, logicalId, resource.Type);
  const service = resource.Type.split('::')[1]?.toLowerCase() ?? 'unknown';
  return (type?.namer ?? named(service, (unknown) => unknown))(name, place);
}

function drawnName(stack: string, logicalId: string, type: string): string {
  const hash = createHash('sha256').update(`${stack}/${logicalId}`).digest('hex');
  if (type === 'AWS::KMS::Key') {
    return [
      hash.slice(0, 8),
      hash.slice(8, 12),
      `4${hash.slice(12, 15)}`,
      `8${hash.slice(15, 18)}`,
      hash.slice(18, 30),
    ].join('-');
  }
  const prefix = idPrefixes[type];
  if (prefix !== undefined) return `${prefix}${hash.slice(0, 17)}`;
  const name = `${stack}-${logicalId}-${hash.slice(0, 12)}`;
  return type === 'AWS::S3::Bucket' ? name.toLowerCase().slice(0, 63) : name;
}
