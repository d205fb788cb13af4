/** Findings of cdk-nag that are meant as they are: the one list of all of them, each with its reason. */
import { Validations } from 'aws-cdk-lib';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { DeploymentNames, storePrefixes } from '../config/deployment-names.js';
import type { DeploymentStacks } from '../stacks/build-deployment.js';
import { eksBoundaryActions } from '../constructs/permissions-boundary.js';
import { eksManagedPolicies } from '../stacks/eks-stack.js';
import { ownAcknowledgements } from './nag/own-acknowledgements.js';

export interface Acknowledgement {
  /** Ids of the findings, exactly as the packs report them. */
  readonly ids: readonly string[];
  /** At which constructs: matched against their path. */
  readonly paths: RegExp;
  readonly reason: string;
}

/** Every finding that a deployment of this configuration may have. */
export function acknowledgementsOf(configuration: ResolvedConfiguration): readonly Acknowledgement[] {
  return [
    ...unconditional(configuration),
    ...wildcards(configuration),
    ...ownAcknowledgements(configuration),
    ...(configuration.removalProtection ? [] : unprotected),
  ];
}

/** Enters every acknowledgement at the constructs that it is about. */
export function acknowledge(stacks: DeploymentStacks, configuration: ResolvedConfiguration): void {
  const all = acknowledgementsOf(configuration);
  for (const stack of stacks.values()) {
    for (const construct of stack.node.findAll()) {
      for (const { ids, paths, reason } of all) {
        if (paths.test(construct.node.path)) {
          Validations.of(construct).acknowledge(...ids.map((id) => ({ id, reason })));
        }
      }
    }
  }
}

const packs = ['NIST.800.53.R5', 'HIPAA.Security', 'PCI.DSS.321'] as const;

/** The finding of a rule that several packs share. */
function inEveryPack(rule: string): readonly string[] {
  return packs.map((pack) => `${pack}-${rule}`);
}

function unconditional({ exposure }: ResolvedConfiguration): readonly Acknowledgement[] {
  return [
    {
      ids: inEveryPack('S3BucketReplicationEnabled'),
      paths: /^foundation\/\w+Bucket\/Bucket$/,
      reason:
        'Data stays in its region unless its owner decides otherwise: npm run backup copies a deployment, consistent across buckets, to a second store, where replication of single objects would not be.',
    },
    {
      ids: inEveryPack('S3DefaultEncryptionKMS'),
      paths: /^foundation\/AccessBucket\/Bucket$/,
      reason:
        'S3 and load balancers deliver access logs only into a bucket under keys of S3 itself. It holds no data of databases.',
    },
    {
      ids: ['AwsSolutions-S1', ...inEveryPack('S3BucketLoggingEnabled')],
      paths: /^foundation\/AccessBucket\/Bucket$/,
      reason: 'The bucket of access logs has no log of its own, which would fill itself.',
    },
    {
      ids: ['AwsSolutions-SMG4', ...inEveryPack('SecretsManagerRotationEnabled')],
      paths: /^foundation\/(AdminCredential|SigningKeySeed)$/,
      reason:
        'Rotated by a drill (docs/operations/credentials.md), because both planes must be restarted with it; a rotation function would be one more principal that can read it.',
    },
    {
      ids: inEveryPack('VPCDefaultSecurityGroupClosed'),
      paths: /^network\/Network\/Vpc$/,
      reason:
        'CloudFormation cannot change the default group, and a function that does would need rights on every group. Nothing is in it; conformance packs watch it.',
    },
    {
      ids: ['AwsSolutions-ECS2'],
      paths: /^(data-plane|control-plane)\/Task$/,
      reason: 'The variables are names and sizes. Both secrets of the processes come from Secrets Manager.',
    },
    {
      ids: inEveryPack('ELBv2ACMCertificateRequired'),
      paths: /^edge\/PrivateLink\/Listener$/,
      reason: 'It passes TLS on as it comes; the load balancer behind it has the certificate.',
    },
    {
      ids: ['AwsSolutions-ELB2', ...inEveryPack('ELBLoggingEnabled')],
      paths: /^edge\/PrivateLink\/Front$/,
      reason:
        'It logs connections of TLS listeners only and has none: the load balancer behind it ends TLS, and logs every request.',
    },
    ...(exposure.kind === 'public'
      ? [
          {
            ids: inEveryPack('VPCNoUnrestrictedRouteToIGW'),
            paths: /^network\/Network\/EdgeRoute-/,
            reason:
              'Exposure is public: the subnets of the load balancer, and only they, are reached from the internet.',
          },
          {
            ids: ['AwsSolutions-EC23', ...inEveryPack('EC2RestrictedCommonPorts'), ...inEveryPack('EC2RestrictedSSH')],
            paths: /^network\/SecurityGroups\/Clients\d+$/,
            reason:
              'Exposure is public: the load balancer takes TLS from everywhere, behind a web application firewall.',
          },
        ]
      : [
          {
            ids: inEveryPack('ALBWAFEnabled'),
            paths: /^edge\/LoadBalancer\/LoadBalancer$/,
            reason:
              'Only clients of this and of routed networks reach it; a firewall for the internet is there with public exposure.',
          },
        ]),
    {
      ids: inEveryPack('VPCNoUnrestrictedRouteToIGW'),
      paths: /^network\/Network\/Exit\/OutOfExit-/,
      reason:
        'The way out of the NAT gateways, in front of which the firewall lets pass the hosts of the allow-list only.',
    },
    {
      ids: eksManagedPolicies.map((name) => `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`),
      paths: /^eks\/(Node|ClusterRole)\/Role\/Resource$/,
      reason:
        'EKS demands these policies of AWS for a cluster in Auto Mode; the permissions boundary holds beside them.',
    },
  ];
}

const unprotected: readonly Acknowledgement[] = [
  {
    ids: inEveryPack('ELBDeletionProtectionEnabled'),
    paths: /^edge\/(LoadBalancer\/LoadBalancer|PrivateLink\/Front)$/,
    reason: 'Removal protection is off for the whole deployment, as its configuration says.',
  },
  {
    ids: ['AwsSolutions-NF1', ...inEveryPack('NetFWDeletionProtectionEnabled')],
    paths: /^network\/Network\/Exit\/Firewall-/,
    reason: 'Removal protection is off for the whole deployment, as its configuration says.',
  },
];

/** What cdk-nag calls a wildcard: nearly all are the deployment's own names with a star behind them. */
function wildcards(configuration: ResolvedConfiguration): readonly Acknowledgement[] {
  const names = new DeploymentNames(configuration);
  const { account, region, trustedAccounts } = configuration;
  const resource = (arn: string): string => `AwsSolutions-IAM5[Resource::${arn}]`;
  const arn = (service: string, of: string, owner = account): string =>
    `arn:${names.partition}:${service}:${region}:${owner}:${of}`;
  const kinds = ['data', 'log', 'control'] as const;
  return [
    {
      ids: kinds.map((kind) => resource(`${names.bucketArn(kind)}/${storePrefixes[kind]}/*`)),
      paths:
        /^(foundation\/Emergency|data-plane\/DataNode|control-plane\/ControlPlane|eks\/Pods-[\w-]+)\/Policy\/Resource$/,
      reason: 'Objects have names that nobody knows before; each is below the one prefix of its store.',
    },
    {
      ids: [resource(`${names.bucketArn('audit')}/${storePrefixes.audit}/*`)],
      paths: /^(control-plane\/ControlPlane|eks\/Pods-control-plane)\/Policy\/Resource$/,
      reason: 'Objects of the audit log are numbered; they are below a prefix that nothing else has.',
    },
    {
      ids: [resource(`${names.bucketArn('data')}/${storePrefixes.data}/manifests/*`)],
      paths: /^(data-plane\/DataNode|eks\/Pods-data-node)\/Policy\/Resource$/,
      reason: 'Versions are destroyed of manifests only, one for each database, whose names nobody knows before.',
    },
    {
      ids: ['flow', 'data-node', 'control-plane'].map((of) =>
        resource(arn('logs', `log-group:${names.logGroup(of)}:log-stream:*`)),
      ),
      paths: /^(network\/FlowLogs|data-plane\/DataNodeStart|control-plane\/ControlPlaneStart)\/Policy\/Resource$/,
      reason: 'Streams of the one log group of the process.',
    },
    {
      ids: [resource(arn('logs', `log-group:${names.logGroup('trail')}:log-stream:${account}_CloudTrail_${region}*`))],
      paths: /^compliance\/Policy\/Resource$/,
      reason: 'CloudTrail adds a suffix to the stream that it writes.',
    },
    {
      ids: [resource('*')],
      paths: /^(data-plane\/DataNodeStart|control-plane\/ControlPlaneStart)\/Policy\/Resource$/,
      reason: 'ecr:GetAuthorizationToken takes no resource; the images themselves are named.',
    },
    {
      ids: [resource('*')],
      paths: /^data-plane\/ContainerInstance\/Policy\/Resource$/,
      reason: 'ecs:DiscoverPollEndpoint takes no resource; everything else is of the one cluster.',
    },
    {
      ids: ['container-instance', 'task'].map((kind) => resource(arn('ecs', `${kind}/${names.cluster}/*`))),
      paths: /^(foundation\/Boundary|data-plane\/ContainerInstance\/Policy)\/Resource$/,
      reason: 'Instances and tasks of the one cluster, which ECS names.',
    },
    {
      ids: [
        resource('*'),
        ...kinds.map((kind) => resource(`${names.bucketArn(kind)}/*`)),
        resource(`${names.bucketArn('audit')}/${storePrefixes.audit}/*`),
        ...[account, ...trustedAccounts].flatMap((owner) => [
          resource(arn('kms', 'key/*', owner)),
          resource(arn('ecr', 'repository/*', owner)),
        ]),
        resource(arn('secretsmanager', `secret:${names.secret('')}*`)),
        resource(arn('logs', `log-group:${names.logGroupPrefix}*`)),
        ...eksBoundaryActions.map((action) => `AwsSolutions-IAM5[Action::${action}]`),
        ...inEveryPack('IAMPolicyNoStatementsWithFullAccess'),
      ],
      paths: /^foundation\/Boundary\/Resource$/,
      reason:
        'A boundary gives no right; it is the most that the roles, whose own policies are narrower, can ever have.',
    },
  ];
}
