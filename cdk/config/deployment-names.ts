/**
 * The name of everything that one stack makes and another one, a policy or a person refers to. All follow from the configuration,
 * so that a policy can name a role, bucket or trail before it exists, and no stack's update waits for another's exports.
 */
import type { ResolvedConfiguration } from './deployment-configuration.js';
import { partitionOf } from './partition.js';

/** Stacks in the order in which they are deployed. */
export const stackKinds = [
  'foundation',
  'network',
  'edge',
  'data-plane',
  'control-plane',
  'eks',
  'observability',
  'compliance',
] as const;
export type StackKind = (typeof stackKinds)[number];

/** The processes and people that have a role of their own. */
export const roleKinds = [
  'data-node',
  'data-node-start',
  'control-plane',
  'control-plane-start',
  'container-instance',
  'flow-log',
  'trail',
  'emergency',
  'eks-cluster',
  'eks-node',
] as const;
export type RoleKind = (typeof roleKinds)[number];

export const bucketKinds = ['data', 'control', 'log', 'audit', 'config', 'access'] as const;
export type BucketKind = (typeof bucketKinds)[number];

/** Prefix of each store in its bucket; nothing else is ever in it. In the audit bucket the trail has prefixes of its own. */
export const storePrefixes = { data: 'data', log: 'log', control: 'control', audit: 'platform' } as const;

export class DeploymentNames {
  constructor(private readonly configuration: ResolvedConfiguration) {}

  /** What names begin with, such as `turso-byoc-shop`. */
  get prefix(): string {
    return `turso-byoc-${this.configuration.name}`;
  }

  stack(kind: StackKind): string {
    return `${this.prefix}-${kind}`;
  }

  /** Name of a general purpose bucket. */
  bucket(kind: BucketKind): string {
    const { name, account, region } = this.configuration;
    return `${name}-turso-${kind}-${account}-${region}`;
  }

  bucketArn(kind: BucketKind): string {
    return `arn:${this.partition}:s3:::${this.bucket(kind)}`;
  }

  /** Name of the directory bucket in a zone, by the zone's id. */
  directoryBucket(zoneId: string): string {
    const { name, account } = this.configuration;
    return `${name}-turso-log-${account}--${zoneId}--x-s3`;
  }

  directoryBucketArn(zoneId: string): string {
    const { account, region } = this.configuration;
    return `arn:${this.partition}:s3express:${region}:${account}:bucket/${this.directoryBucket(zoneId)}`;
  }

  /** Ids of the zones that have a directory bucket; none with a regional log. */
  get directoryBucketZoneIds(): readonly string[] {
    const { log, zones } = this.configuration;
    switch (log.kind) {
      case 'standard':
        return [];
      case 'express':
        return [log.zoneId];
      case 'express-quorum':
        return zones.map(({ id }) => id);
    }
  }

  role(kind: RoleKind): string {
    return `${this.prefix}-${kind}`;
  }

  roleArn(kind: RoleKind): string {
    return this.iamArn(`role/${this.role(kind)}`);
  }

  /** ARN of the role by which Auto Scaling starts instances; AWS makes it with the account's first group. */
  get autoScalingRoleArn(): string {
    return this.iamArn('role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling');
  }

  /** ARN of the permissions boundary of every role. */
  get boundaryArn(): string {
    const { permissionsBoundary } = this.configuration;
    return permissionsBoundary.kind === 'import'
      ? permissionsBoundary.policyArn
      : this.iamArn(`policy/${this.boundary}`);
  }

  /** Name of the boundary that is made here. */
  get boundary(): string {
    return `${this.prefix}-boundary`;
  }

  /** Name of a log group: `/turso-byoc/<deployment>/<of>`. */
  logGroup(of: string): string {
    return `${this.logGroupPrefix}${of}`;
  }

  get logGroupPrefix(): string {
    return `/turso-byoc/${this.configuration.name}/`;
  }

  get trail(): string {
    return `${this.prefix}-trail`;
  }

  get trailArn(): string {
    const { account, region } = this.configuration;
    return `arn:${this.partition}:cloudtrail:${region}:${account}:trail/${this.trail}`;
  }

  get cluster(): string {
    return this.prefix;
  }

  get alarmTopic(): string {
    return `${this.prefix}-alarms`;
  }

  get alarmTopicArn(): string {
    const { account, region } = this.configuration;
    return `arn:${this.partition}:sns:${region}:${account}:${this.alarmTopic}`;
  }

  /** Alias of a key, without `alias/`. */
  keyAlias(purpose: string): string {
    return `turso-byoc/${this.configuration.name}/${purpose}`;
  }

  secret(of: string): string {
    return `turso-byoc/${this.configuration.name}/${of}`;
  }

  /** Private DNS name of the data nodes for the control plane. */
  get dataNodesHost(): string {
    return `data.${this.internalDomain}`;
  }

  get internalDomain(): string {
    return `${this.configuration.name}.turso-byoc.internal`;
  }

  get partition(): string {
    return partitionOf(this.configuration.region);
  }

  private iamArn(resource: string): string {
    return `arn:${this.partition}:iam::${this.configuration.account}:${resource}`;
  }
}
