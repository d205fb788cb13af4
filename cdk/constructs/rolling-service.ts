import { CfnService } from 'aws-cdk-lib/aws-ecs';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { runbookUrl } from '../config/runbooks.js';
import type { DeploymentContext } from './deployment-context.js';

export interface RollingServiceProps {
  readonly context: DeploymentContext;
  /** Name of the service in its cluster. */
  readonly name: string;
  readonly clusterArn: string;
  readonly taskDefinitionArn: string;
  readonly container: { readonly name: string; readonly port: number };
  readonly count: number;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly targetGroupArn: string;
  /** The capacity providers of instances, used alike; none on Fargate. */
  readonly capacityProviders: readonly string[];
  /** Discovery service that the tasks are entered into. */
  readonly registryArn?: string;
  /** Names of alarms that turn a deployment back. */
  readonly rollbackAlarms: readonly string[];
}

/**
 * Tasks that are replaced without a gap: new ones first, old ones stopped when new ones are healthy, all of it turned back when tasks
 * do not start or an alarm goes off.
 */
export class RollingService extends Construct {
  readonly service: CfnService;

  constructor(scope: Construct, id: string, props: RollingServiceProps) {
    super(scope, id);
    const onFargate = props.capacityProviders.length === 0;
    this.service = new CfnService(this, 'Service', {
      serviceName: props.name,
      cluster: props.clusterArn,
      taskDefinition: props.taskDefinitionArn,
      desiredCount: props.count,
      ...(onFargate
        ? { launchType: 'FARGATE', platformVersion: 'LATEST' }
        : {
            capacityProviderStrategy: props.capacityProviders.map((capacityProvider) => ({
              capacityProvider,
              weight: 1,
            })),
            placementStrategies: [
              { type: 'spread', field: 'attribute:ecs.availability-zone' },
              { type: 'binpack', field: 'memory' },
            ],
          }),
      availabilityZoneRebalancing: props.subnetIds.length > 1 ? 'ENABLED' : 'DISABLED',
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        alarms: { enable: true, rollback: true, alarmNames: [...props.rollbackAlarms] },
      },
      networkConfiguration: {
        awsvpcConfiguration: {
          assignPublicIp: 'DISABLED',
          subnets: [...props.subnetIds],
          securityGroups: [props.securityGroupId],
        },
      },
      loadBalancers: [
        {
          containerName: props.container.name,
          containerPort: props.container.port,
          targetGroupArn: props.targetGroupArn,
        },
      ],
      ...(props.registryArn !== undefined && { serviceRegistries: [{ registryArn: props.registryArn }] }),
      healthCheckGracePeriodSeconds: 120,
      enableEcsManagedTags: true,
      enableExecuteCommand: false,
      propagateTags: 'SERVICE',
    });
  }
}

/** An alarm that turns a deployment back: answers of the processes themselves with 5xx, more than a few in a minute. */
export function rollbackAlarm(
  scope: Construct,
  id: string,
  { names, configuration }: DeploymentContext,
  props: { readonly name: string; readonly loadBalancer: string; readonly targetGroup: string },
): CfnAlarm {
  return new CfnAlarm(scope, id, {
    alarmName: `${names.prefix}-${props.name}`,
    alarmDescription: `Answers with 5xx; turns a deployment back. Severity: warning. Runbook: ${runbookUrl(configuration, props.name)}`,
    actionsEnabled: true,
    alarmActions: [names.alarmTopicArn, ...configuration.alarms.topicArns],
    namespace: 'AWS/ApplicationELB',
    metricName: 'HTTPCode_Target_5XX_Count',
    dimensions: [
      { name: 'LoadBalancer', value: props.loadBalancer },
      { name: 'TargetGroup', value: props.targetGroup },
    ],
    statistic: 'Sum',
    period: 60,
    evaluationPeriods: 2,
    threshold: 20,
    comparisonOperator: 'GreaterThanThreshold',
    treatMissingData: 'notBreaching',
  });
}
