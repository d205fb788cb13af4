import { Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ports } from '../config/ports.js';
import { controlPlaneEnvironment } from '../config/process-environment.js';
import { containerTask } from '../constructs/container-task.js';
import { controlPlanePermissions } from '../constructs/control-plane-permissions.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { encryptedLogGroup } from '../constructs/log-group.js';
import { ecsTasks, processRole } from '../constructs/process-role.js';
import { rollbackAlarm, RollingService } from '../constructs/rolling-service.js';
import { startPermissions } from '../constructs/start-permissions.js';
import type { DataPlaneStack } from './data-plane-stack.js';
import type { EdgeStack } from './edge-stack.js';
import type { FoundationStack } from './foundation-stack.js';
import type { NetworkStack } from './network-stack.js';

export interface ControlPlaneStackProps {
  readonly context: DeploymentContext;
  readonly foundation: FoundationStack;
  readonly network: NetworkStack;
  readonly edge: EdgeStack;
  readonly dataPlane: DataPlaneStack;
}

/** Calls in hand get ten seconds to end; see the control plane's own budget. */
const stopTimeoutSeconds = 20;

/** The control plane on ECS. The data plane serves on without it. */
export class ControlPlaneStack extends Stack {
  readonly service = 'control-plane';

  constructor(scope: Construct, { context, foundation, network, edge, dataPlane }: ControlPlaneStackProps) {
    super(scope, 'control-plane', stackProps(context, 'control-plane'));
    const { names, configuration } = context;
    const { controlPlane, images } = configuration;
    const { keys, adminCredentialArn, signingKeySecretArn } = foundation;
    const logGroup = encryptedLogGroup(this, 'Log', { context, keyArn: keys.audit, of: 'control-plane' });
    const secrets = {
      TURSO_BYOC_ADMIN_CREDENTIAL: adminCredentialArn,
      ...(signingKeySecretArn !== undefined && { TURSO_BYOC_SIGNING_KEY_SEED: signingKeySecretArn }),
    };
    const role = processRole(new Construct(this, 'ControlPlane'), context, 'control-plane', {
      description: 'The control plane',
      assumedBy: ecsTasks(context),
      statements: controlPlanePermissions(context, keys, network.network.vpcId),
    });
    const startRole = processRole(new Construct(this, 'ControlPlaneStart'), context, 'control-plane-start', {
      description: 'Starts the control plane',
      assumedBy: ecsTasks(context),
      statements: startPermissions(context, {
        image: images.controlPlane,
        logGroup: names.logGroup('control-plane'),
        secretArns: Object.values(secrets),
        secretKeyArn: keys.control,
      }),
    });
    const task = containerTask(this, 'Task', {
      context,
      process: 'control-plane',
      image: images.controlPlane,
      cpuUnits: controlPlane.cpuUnits,
      memoryMiB: controlPlane.memoryMiB,
      ports: [ports.api],
      health: { port: ports.api, path: '/health' },
      stopTimeoutSeconds,
      environment: controlPlaneEnvironment(configuration, keys.signing),
      secrets,
      role,
      startRole,
      logGroup,
    });
    const alarm = rollbackAlarm(this, 'Rollback', context, {
      name: 'control-plane-rollback',
      loadBalancer: edge.loadBalancer.fullName,
      targetGroup: edge.loadBalancer.controlFullName,
    });
    new RollingService(this, 'Service', {
      context,
      name: this.service,
      clusterArn: dataPlane.clusterArn,
      taskDefinitionArn: task.ref,
      container: { name: 'control-plane', port: ports.api },
      count: controlPlane.count,
      subnetIds: network.network.controlSubnets.map(({ subnetId }) => subnetId),
      securityGroupId: network.securityGroups.control,
      targetGroupArn: edge.loadBalancer.control.ref,
      capacityProviders: dataPlane.capacityProviders,
      rollbackAlarms: [alarm.ref],
    });
    this.addStackDependency(dataPlane);
  }
}
