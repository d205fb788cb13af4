import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Construct } from 'constructs';

export interface CpuScalingProps {
  readonly cluster: string;
  readonly service: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly targetCpuPercent: number;
}

/** Adds nodes quickly and takes them away slowly: databases move with every node that leaves. */
export class CpuScaling extends Construct {
  constructor(scope: Construct, id: string, props: CpuScalingProps) {
    super(scope, id);
    const target = new CfnScalableTarget(this, 'Target', {
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: `service/${props.cluster}/${props.service}`,
      minCapacity: props.minimum,
      maxCapacity: props.maximum,
    });
    new CfnScalingPolicy(this, 'Policy', {
      policyName: `${props.service}-cpu`,
      policyType: 'TargetTrackingScaling',
      scalingTargetId: target.ref,
      targetTrackingScalingPolicyConfiguration: {
        predefinedMetricSpecification: { predefinedMetricType: 'ECSServiceAverageCPUUtilization' },
        targetValue: props.targetCpuPercent,
        scaleOutCooldown: 60,
        scaleInCooldown: 900,
      },
    });
  }
}
