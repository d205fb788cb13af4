import { Stack } from 'aws-cdk-lib';
import { CfnCluster, CfnClusterCapacityProviderAssociations, type CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import type { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnService as CfnDiscoveryService } from 'aws-cdk-lib/aws-servicediscovery';
import { Construct } from 'constructs';
import { placements, type Placement } from '../config/placements.js';
import { ports } from '../config/ports.js';
import { dataNodeEnvironment, stopTimeoutSeconds } from '../config/process-environment.js';
import { containerTask } from '../constructs/container-task.js';
import { CpuScaling } from '../constructs/cpu-scaling.js';
import { dataNodePermissions } from '../constructs/data-node-permissions.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { InstanceCapacity } from '../constructs/instance-capacity.js';
import { encryptedLogGroup } from '../constructs/log-group.js';
import { instanceAgent } from '../constructs/permissions-boundary.js';
import { ecsTasks, processRole } from '../constructs/process-role.js';
import { rollbackAlarm, RollingService } from '../constructs/rolling-service.js';
import { startPermissions } from '../constructs/start-permissions.js';
import type { EdgeStack } from './edge-stack.js';
import type { FoundationStack } from './foundation-stack.js';
import type { NetworkStack } from './network-stack.js';

export interface DataPlaneStackProps {
  readonly context: DeploymentContext;
  readonly foundation: FoundationStack;
  readonly network: NetworkStack;
  readonly edge: EdgeStack;
  readonly namespaceId: string;
}

/** The data nodes on ECS: a cluster, and a service of nodes for each place where they run. */
export class DataPlaneStack extends Stack {
  readonly clusterArn: string;
  /** The capacity providers of instances by placement; none on Fargate. */
  readonly capacityProviders: readonly string[];
  /** Names of the services, by placement. */
  readonly services: readonly string[];
  readonly instanceRole: Role | undefined;

  private readonly cluster: CfnCluster;

  constructor(
    scope: Construct,
    private readonly props: DataPlaneStackProps,
  ) {
    super(scope, 'data-plane', stackProps(props.context, 'data-plane'));
    const { context } = props;
    const { names, configuration } = context;
    this.cluster = new CfnCluster(this, 'Cluster', {
      clusterName: names.cluster,
      clusterSettings: [{ name: 'containerInsights', value: 'enhanced' }],
      configuration: {
        managedStorageConfiguration: {
          kmsKeyId: props.foundation.keys.disks,
          fargateEphemeralStorageKmsKeyId: props.foundation.keys.disks,
        },
      },
    });
    this.clusterArn = this.cluster.attrArn;
    const places = placements(configuration);
    this.instanceRole = configuration.compute.kind === 'ecs-ec2' ? this.makeInstanceRole() : undefined;
    this.capacityProviders = places.flatMap((placement) => this.capacity(placement));
    const association =
      this.capacityProviders.length === 0
        ? undefined
        : new CfnClusterCapacityProviderAssociations(this, 'CapacityProviders', {
            cluster: this.cluster.ref,
            capacityProviders: [...this.capacityProviders],
            defaultCapacityProviderStrategy: [],
          });
    const task = this.task();
    const registryArn = this.discovery();
    const alarm = rollbackAlarm(this, 'Rollback', context, {
      name: 'data-plane-rollback',
      loadBalancer: props.edge.loadBalancer.fullName,
      targetGroup: props.edge.loadBalancer.nodesFullName,
    });
    this.services = places.map((placement, index) => {
      const capacityProviders = this.capacityProviders.slice(index, index + 1);
      return this.service(placement, { task, registryArn, alarm, capacityProviders, association });
    });
  }

  private task(): CfnTaskDefinition {
    const { context, foundation, network } = this.props;
    const { names, configuration } = context;
    const { dataNodes, images } = configuration;
    const logGroup = encryptedLogGroup(this, 'Log', { context, keyArn: foundation.keys.audit, of: 'data-node' });
    const role = processRole(new Construct(this, 'DataNode'), context, 'data-node', {
      description: 'A data node',
      assumedBy: ecsTasks(context),
      statements: dataNodePermissions(context, foundation.keys, network.network.vpcId),
    });
    const startRole = processRole(new Construct(this, 'DataNodeStart'), context, 'data-node-start', {
      description: 'Starts data nodes',
      assumedBy: ecsTasks(context),
      statements: startPermissions(context, {
        image: images.dataPlane,
        logGroup: names.logGroup('data-node'),
        secretArns: [foundation.adminCredentialArn],
        secretKeyArn: foundation.keys.control,
      }),
    });
    return containerTask(this, 'Task', {
      context,
      process: 'data-node',
      image: images.dataPlane,
      cpuUnits: dataNodes.cpuUnits,
      memoryMiB: dataNodes.memoryMiB,
      cacheGiB: dataNodes.cacheGiB,
      ports: [ports.sql, ports.admin],
      health: { port: ports.sql, path: '/health' },
      stopTimeoutSeconds: stopTimeoutSeconds(configuration),
      environment: dataNodeEnvironment(configuration, foundation.keys.databases),
      secrets: { TURSO_BYOC_ADMIN_CREDENTIAL: foundation.adminCredentialArn },
      role,
      startRole,
      logGroup,
    });
  }

  private service(
    placement: Placement,
    given: {
      readonly task: CfnTaskDefinition;
      readonly registryArn: string;
      readonly alarm: CfnAlarm;
      readonly capacityProviders: readonly string[];
      readonly association: CfnClusterCapacityProviderAssociations | undefined;
    },
  ): string {
    const { context, network, edge } = this.props;
    const { dataNodes } = context.configuration;
    const name = `data-node-${placement.name}`;
    const rolling = new RollingService(this, `Service-${placement.name}`, {
      context,
      name,
      clusterArn: this.clusterArn,
      taskDefinitionArn: given.task.ref,
      container: { name: 'data-node', port: ports.sql },
      count: placement.minimum,
      subnetIds: this.subnetIds(placement),
      securityGroupId: network.securityGroups.nodes,
      targetGroupArn: edge.loadBalancer.nodes.ref,
      capacityProviders: given.capacityProviders,
      registryArn: given.registryArn,
      rollbackAlarms: [given.alarm.ref],
    });
    if (given.association !== undefined) rolling.node.addDependency(given.association);
    const scaling = new CpuScaling(this, `Scaling-${placement.name}`, {
      cluster: context.names.cluster,
      service: name,
      minimum: placement.minimum,
      maximum: placement.maximum,
      targetCpuPercent: dataNodes.targetCpuPercent,
    });
    scaling.node.addDependency(rolling);
    return name;
  }

  private subnetIds({ zones }: Placement): readonly string[] {
    const { nodeSubnets } = this.props.network.network;
    return nodeSubnets
      .filter(({ zone }) => zones.some(({ name }) => name === zone.name))
      .map(({ subnetId }) => subnetId);
  }

  /** Answers `data.<deployment>.turso-byoc.internal` with the addresses of the nodes whose containers are healthy. */
  private discovery(): string {
    const service = new CfnDiscoveryService(this, 'Discovery', {
      name: 'data',
      namespaceId: this.props.namespaceId,
      dnsConfig: { routingPolicy: 'MULTIVALUE', dnsRecords: [{ type: 'A', ttl: 5 }] },
      healthCheckCustomConfig: { failureThreshold: 1 },
    });
    const { account, region } = this.props.context.configuration;
    return `arn:${this.props.context.names.partition}:servicediscovery:${region}:${account}:service/${service.ref}`;
  }

  private makeInstanceRole(): Role {
    return processRole(new Construct(this, 'ContainerInstance'), this.props.context, 'container-instance', {
      description: 'The ECS agent of an instance; containers cannot take it',
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      statements: [...instanceAgent(this.props.context)],
    });
  }

  private capacity(placement: Placement): readonly string[] {
    const { context, foundation, network } = this.props;
    const { compute, dataNodes } = context.configuration;
    if (compute.kind !== 'ecs-ec2' || this.instanceRole === undefined) return [];
    const capacity = new InstanceCapacity(this, `Capacity-${placement.name}`, {
      context,
      placement,
      instanceType: compute.instanceType,
      architecture: compute.architecture,
      cacheGiB: dataNodes.cacheGiB,
      subnetIds: this.subnetIds(placement),
      securityGroupIds: [network.securityGroups.nodes],
      disksKeyArn: foundation.keys.disks,
      role: this.instanceRole,
    });
    return [capacity.providerName];
  }
}
