import { CfnFlowLog } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';
import { encryptedLogGroup } from './log-group.js';
import { processRole } from './process-role.js';

/** Who connected to whom in the network, accepted or not. */
export class FlowLogs extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { readonly context: DeploymentContext; readonly vpcId: string; readonly auditKeyArn: string },
  ) {
    super(scope, id);
    const { context } = props;
    const { account, region } = context.configuration;
    const group = encryptedLogGroup(this, 'Log', { context, keyArn: props.auditKeyArn, of: 'flow' });
    const groupArn = `arn:${context.names.partition}:logs:${region}:${account}:log-group:${context.names.logGroup('flow')}`;
    const role = processRole(this, context, 'flow-log', {
      description: 'Writes flow logs of the network',
      assumedBy: new ServicePrincipal('vpc-flow-logs.amazonaws.com').withConditions({
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:${context.names.partition}:ec2:${region}:${account}:vpc-flow-log/*` },
      }),
      statements: [
        new PolicyStatement({
          sid: 'Write',
          actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          resources: [groupArn, `${groupArn}:log-stream:*`],
        }),
      ],
    });
    const flowLog = new CfnFlowLog(this, 'FlowLog', {
      resourceType: 'VPC',
      resourceId: props.vpcId,
      trafficType: 'ALL',
      logDestinationType: 'cloud-watch-logs',
      logGroupName: context.names.logGroup('flow'),
      deliverLogsPermissionArn: role.roleArn,
      maxAggregationInterval: 60,
    });
    flowLog.addResourceDependency(group);
  }
}
