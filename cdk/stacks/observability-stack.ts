import { Stack } from 'aws-cdk-lib';
import { CfnDashboard } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { Alarms } from '../constructs/alarms.js';
import { deploymentAlarms } from '../constructs/deployment-alarms.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { deploymentDashboard } from '../constructs/deployment-dashboard.js';
import { WatchRules } from '../constructs/watch-rules.js';
import type { EdgeStack } from './edge-stack.js';
import type { FoundationStack } from './foundation-stack.js';

export interface ObservabilityStackProps {
  readonly context: DeploymentContext;
  readonly foundation: FoundationStack;
  readonly edge: EdgeStack;
  /** Names of the services of data nodes on ECS; none on Kubernetes. */
  readonly dataServices: readonly string[];
  readonly controlService: string | undefined;
}

/** Dashboard, alarms, and rules for what must never happen unseen. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, { context, foundation, edge, dataServices, controlService }: ObservabilityStackProps) {
    super(scope, 'observability', stackProps(context, 'observability'));
    const { names } = context;
    const watched = {
      loadBalancer: edge.loadBalancer.fullName,
      nodes: edge.loadBalancer.nodesFullName,
      control: edge.loadBalancer.controlFullName,
      dataServices,
      controlService,
    };
    const definitions = deploymentAlarms(context, watched);
    const alarms = new Alarms(this, 'Alarms', context, definitions);
    const { keys } = foundation;
    new WatchRules(this, 'Watch', context, [
      keys.databases,
      ...keys.groups,
      keys.data,
      keys.log,
      keys.control,
      keys.audit,
      keys.disks,
      ...(keys.signing === undefined ? [] : [keys.signing]),
    ]);
    new CfnDashboard(this, 'Dashboard', {
      dashboardName: names.prefix,
      dashboardBody: this.toJsonString(deploymentDashboard(context, watched, alarms.names)),
    });
  }
}
