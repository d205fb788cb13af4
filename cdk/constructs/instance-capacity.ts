import { Fn } from 'aws-cdk-lib';
import { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling';
import { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2';
import { CfnCapacityProvider } from 'aws-cdk-lib/aws-ecs';
import { CfnInstanceProfile, type Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Placement } from '../config/placements.js';
import type { DeploymentContext } from './deployment-context.js';

export interface InstanceCapacityProps {
  readonly context: DeploymentContext;
  readonly placement: Placement;
  readonly instanceType: string;
  readonly architecture: 'arm64' | 'x86_64';
  readonly cacheGiB: number;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly disksKeyArn: string;
  readonly role: Role;
}

/**
 * EC2 instances that ECS adds, drains and takes away as tasks need them. Nobody can sign in to them; their metadata service answers
 * the instance only, so that a container cannot take the instance's role.
 */
export class InstanceCapacity extends Construct {
  readonly providerName: string;

  constructor(scope: Construct, id: string, props: InstanceCapacityProps) {
    super(scope, id);
    const { context, placement } = props;
    const { names } = context;
    const name = `${names.prefix}-${placement.name}`;
    const tags = Object.entries({
      ...context.configuration.tags,
      Name: name,
      'turso-byoc:deployment': context.configuration.name,
    }).map(([key, value]) => ({ key, value }));
    const profile = new CfnInstanceProfile(this, 'Profile', { roles: [props.role.roleName] });
    const image = `/aws/service/ecs/optimized-ami/amazon-linux-2023/${props.architecture === 'arm64' ? 'arm64/' : ''}recommended/image_id`;
    const template = new CfnLaunchTemplate(this, 'Template', {
      launchTemplateName: name,
      tagSpecifications: [{ resourceType: 'launch-template', tags }],
      launchTemplateData: {
        imageId: `resolve:ssm:${image}`,
        instanceType: props.instanceType,
        iamInstanceProfile: { arn: profile.attrArn },
        monitoring: { enabled: true },
        metadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1, httpEndpoint: 'enabled' },
        networkInterfaces: [{ deviceIndex: 0, associatePublicIpAddress: false, groups: [...props.securityGroupIds] }],
        blockDeviceMappings: [
          {
            deviceName: '/dev/xvda',
            ebs: {
              encrypted: true,
              kmsKeyId: props.disksKeyArn,
              volumeType: 'gp3',
              volumeSize: 30 + props.cacheGiB * 2,
              deleteOnTermination: true,
            },
          },
        ],
        userData: Fn.base64(
          [
            '#!/bin/sh',
            'cat >>/etc/ecs/ecs.config <<END',
            `ECS_CLUSTER=${names.cluster}`,
            'ECS_AWSVPC_BLOCK_IMDS=true',
            'ECS_ENABLE_SPOT_INSTANCE_DRAINING=true',
            'ECS_CONTAINER_STOP_TIMEOUT=2m',
            'ECS_IMAGE_PULL_BEHAVIOR=prefer-cached',
            'END',
            'systemctl disable --now sshd amazon-ssm-agent || true',
          ].join('\n'),
        ),
        tagSpecifications: ['instance', 'volume'].map((resourceType) => ({
          resourceType,
          tags,
        })),
      },
    });
    const group = new CfnAutoScalingGroup(this, 'Group', {
      autoScalingGroupName: name,
      minSize: '0',
      maxSize: String(placement.maximum * 2),
      vpcZoneIdentifier: [...props.subnetIds],
      launchTemplate: { launchTemplateId: template.ref, version: template.attrLatestVersionNumber },
      newInstancesProtectedFromScaleIn: true,
      healthCheckType: 'EC2',
      metricsCollection: [{ granularity: '1Minute' }],
      maxInstanceLifetime: 30 * 86_400,
      notificationConfigurations: [
        {
          topicArn: names.alarmTopicArn,
          notificationTypes: ['LAUNCH', 'LAUNCH_ERROR', 'TERMINATE', 'TERMINATE_ERROR'].map(
            (event) => `autoscaling:EC2_INSTANCE_${event}`,
          ),
        },
      ],
    });
    const provider = new CfnCapacityProvider(this, 'Provider', {
      name,
      autoScalingGroupProvider: {
        autoScalingGroupArn: group.attrAutoScalingGroupArn,
        managedDraining: 'ENABLED',
        managedTerminationProtection: 'ENABLED',
        managedScaling: { status: 'ENABLED', targetCapacity: 100 },
      },
    });
    this.providerName = provider.ref;
  }
}
