import { Tags } from 'aws-cdk-lib';
import { CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { storePrefixes } from '../config/deployment-names.js';
import type { DeploymentContext } from './deployment-context.js';
import type { DeploymentNetwork } from './network.js';

export interface ServiceEndpointsProps {
  readonly context: DeploymentContext;
  readonly network: DeploymentNetwork;
  readonly securityGroupId: string;
}

/**
 * The only ways out of the network: endpoints of the AWS services that the deployment needs. Each has a policy, so that nobody who
 * got into the network can carry data into a bucket, key or log of another account with credentials brought along.
 */
export class ServiceEndpoints extends Construct {
  constructor(
    scope: Construct,
    id: string,
    private readonly props: ServiceEndpointsProps,
  ) {
    super(scope, id);
    this.gateway('s3', this.s3Statements());
    if (props.context.names.directoryBucketZoneIds.length > 0) this.gateway('s3express', this.s3ExpressStatements());
    const { account, trustedAccounts } = props.context.configuration;
    const known = [account, ...trustedAccounts];
    for (const [service, resourceAccounts] of this.services()) {
      this.interface(service, resourceAccounts === 'known' ? known : [account]);
    }
  }

  /** The services beside S3, and whose resources may be used through each. */
  private services(): readonly (readonly [service: string, resources: 'own' | 'known'])[] {
    const everywhere = [
      ['ecr.api', 'known'],
      ['ecr.dkr', 'known'],
      ['kms', 'known'],
      ['logs', 'own'],
      ['monitoring', 'own'],
      ['secretsmanager', 'own'],
      ['sts', 'own'],
    ] as const;
    const { compute } = this.props.context.configuration;
    switch (compute.kind) {
      case 'ecs-fargate':
        return everywhere;
      case 'ecs-ec2':
        return [...everywhere, ['ecs', 'own'], ['ecs-agent', 'own'], ['ecs-telemetry', 'own']];
      case 'eks':
        return [...everywhere, ['ec2', 'own'], ['eks', 'own'], ['eks-auth', 'own'], ['elasticloadbalancing', 'own']];
    }
  }

  private s3Statements(): PolicyStatement[] {
    const { names, configuration } = this.props.context;
    const kinds = [
      'data',
      'control',
      'audit',
      ...(names.directoryBucketZoneIds.length === 0 ? (['log'] as const) : []),
    ] as const;
    return [
      new PolicyStatement({
        sid: 'OwnBuckets',
        principals: [new AnyPrincipal()],
        actions: [
          's3:AbortMultipartUpload',
          's3:DeleteObject',
          's3:DeleteObjectVersion',
          's3:GetObject',
          's3:GetObjectVersion',
          's3:ListBucket',
          's3:ListBucketVersions',
          's3:PutObject',
        ],
        resources: kinds.flatMap((kind) => [
          names.bucketArn(kind),
          `${names.bucketArn(kind)}/${storePrefixes[kind]}/*`,
        ]),
        conditions: { StringEquals: { 'aws:PrincipalAccount': configuration.account } },
      }),
      // ECR keeps the layers of images in a bucket of AWS's own, and its agent's presigned requests name no account.
      new PolicyStatement({
        sid: 'ImageLayers',
        principals: [new AnyPrincipal()],
        actions: ['s3:GetObject'],
        resources: [`arn:${names.partition}:s3:::prod-${configuration.region}-starport-layer-bucket/*`],
      }),
      ...(configuration.compute.kind === 'ecs-ec2'
        ? [
            new PolicyStatement({
              sid: 'SystemPackages',
              principals: [new AnyPrincipal()],
              actions: ['s3:GetObject'],
              resources: [
                `arn:${names.partition}:s3:::al2023-repos-${configuration.region}-de612dc2/*`,
                `arn:${names.partition}:s3:::amazon-ecs-agent-${configuration.region}/*`,
              ],
            }),
          ]
        : []),
    ];
  }

  private s3ExpressStatements(): PolicyStatement[] {
    const { names, configuration } = this.props.context;
    return [
      new PolicyStatement({
        sid: 'OwnDirectoryBuckets',
        principals: [new AnyPrincipal()],
        actions: ['s3express:CreateSession'],
        resources: names.directoryBucketZoneIds.map((zoneId) => names.directoryBucketArn(zoneId)),
        conditions: { StringEquals: { 'aws:PrincipalAccount': configuration.account } },
      }),
    ];
  }

  private gateway(service: string, statements: PolicyStatement[]): void {
    const { context, network } = this.props;
    const routeTableIds = [...network.nodeSubnets, ...network.controlSubnets].map(({ routeTableId }) => routeTableId);
    const endpoint = new CfnVPCEndpoint(this, service, {
      vpcEndpointType: 'Gateway',
      vpcId: network.vpcId,
      serviceName: `com.amazonaws.${context.configuration.region}.${service}`,
      routeTableIds: [...new Set(routeTableIds)],
      policyDocument: new PolicyDocument({ statements }),
    });
    Tags.of(endpoint).add('Name', `${context.names.prefix}-${service}`);
  }

  private interface(service: string, resourceAccounts: readonly string[]): void {
    const { context, network, securityGroupId } = this.props;
    const { account, region } = context.configuration;
    const endpoint = new CfnVPCEndpoint(this, service.replaceAll('.', '-'), {
      vpcEndpointType: 'Interface',
      vpcId: network.vpcId,
      serviceName: `com.amazonaws.${region}.${service}`,
      privateDnsEnabled: true,
      subnetIds: network.nodeSubnets.map(({ subnetId }) => subnetId),
      securityGroupIds: [securityGroupId],
      policyDocument: new PolicyDocument({
        statements: [
          new PolicyStatement({
            sid: 'OwnPrincipals',
            principals: [new AnyPrincipal()],
            actions: [`${endpointActions[service] ?? service}:*`],
            resources: ['*'],
            conditions: {
              StringEquals: { 'aws:PrincipalAccount': account },
              StringEqualsIfExists: { 'aws:ResourceAccount': [...resourceAccounts] },
            },
          }),
        ],
      }),
    });
    Tags.of(endpoint).add('Name', `${context.names.prefix}-${service}`);
  }
}

/** What actions of an endpoint's service begin with, where it is not the endpoint's own name. */
const endpointActions: Readonly<Record<string, string>> = {
  'ecr.api': 'ecr',
  'ecr.dkr': 'ecr',
  'ecs-agent': 'ecs',
  'ecs-telemetry': 'ecs',
  monitoring: 'cloudwatch',
};
